package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vouchsafe/internal/lab"
	"vouchsafe/verify"
)

const (
	mirrorIssuer   = "https://login.acme.test"
	mirrorIdentity = "release@acme.test"
)

// mirrorWorld is a registry with an image that a certificate of an own Sigstore
// signed, a TUF mirror of that Sigstore, and documents that trust it.
type mirrorWorld struct {
	registry *lab.Registry
	image    string
	mirror   *lab.Mirror
	server   *httptest.Server
	away     atomic.Bool
	// ours is the Sigstore's trusted root, theirs that of another.
	ours, theirs []byte
	environ      []string
}

func newMirrorWorld(t *testing.T) *mirrorWorld {
	t.Helper()
	w := &mirrorWorld{}
	var err error
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.registry, err = lab.NewRegistry(t.Context(), lab.RegistryConfig{Referrers: true})
	check(err)
	t.Cleanup(w.registry.Close)
	ours, err := lab.NewSigstore("ours")
	check(err)
	theirs, err := lab.NewSigstore("theirs")
	check(err)
	w.ours, err = ours.TrustedRoot()
	check(err)
	w.theirs, err = theirs.TrustedRoot()
	check(err)
	key, err := ours.Certify(mirrorIssuer, mirrorIdentity)
	check(err)
	image, err := w.registry.PushImage("acme/api", "1", "mirrored")
	check(err)
	check(key.SignBundle(w.registry, image))
	w.image = image.String()
	w.mirror, err = lab.NewMirror(w.ours)
	check(err)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.away.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.mirror.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	dir := t.TempDir()
	check(os.WriteFile(filepath.Join(dir, "root.json"), w.mirror.Root(), 0o600))
	check(os.WriteFile(filepath.Join(dir, "all.yaml"), fmt.Appendf(nil, `apiVersion: vouchsafe.dev/v1alpha1
kind: Registry
metadata: {name: "%[1]s"}
spec: {endpoint: "http://%[1]s", plainHTTP: true, allowPrivateAddresses: true}
---
apiVersion: vouchsafe.dev/v1alpha1
kind: SignatureIntegration
metadata: {name: release}
spec:
  certificates: [{oidcIssuer: "%[3]s", identity: "%[4]s"}]
  transparencyLog: {enabled: true, offline: true}
  trustedRoot: {tuf: {mirror: "%[2]s", rootFile: root.json}}
---
apiVersion: vouchsafe.dev/v1alpha1
kind: ImagePolicy
metadata: {name: prod-signed}
spec: {signers: [release], behavior: InformAndEnforce}
`, w.registry.Host(), w.server.URL, mirrorIssuer, mirrorIdentity), 0o600))
	w.environ = []string{"VOUCHSAFE_CONFIG_DIR=" + dir, "VOUCHSAFE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	return w
}

// served is a running `serve`.
type served struct {
	registry, ops string
	log           *lockedText
	stop          func()
}

// lockedText is text that one writes while another reads.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve runs the program until stop is called or the test ends.
func (w *mirrorWorld) serve(t *testing.T) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{log: &lockedText{}}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--drain-delay", "0s"},
			strings.NewReader(""), io.Discard, s.log, w.environ)
	}()
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			cancel()
			if code := <-ended; code != exitOK {
				t.Errorf("exit code %d:\n%s", code, s.log)
			}
		})
	}
	t.Cleanup(s.stop)
	serving := regexp.MustCompile(`"msg":"serving","registry":"([^"]+)","ops":"([^"]+)"`)
	for range 500 {
		if found := serving.FindStringSubmatch(s.log.String()); found != nil {
			s.registry, s.ops = found[1], found[2]
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it does not serve:\n%s", s.log)
	return nil
}

func (s *served) get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// pull asks for the image's manifest.
func (w *mirrorWorld) pull(t *testing.T, s *served) (int, string) {
	t.Helper()
	return s.get(t, "http://"+s.registry+"/v2/"+strings.Replace(w.registry.Host(), ":", "_", 1)+"/acme/api/manifests/1")
}

// wantPull waits at most 10 s until the pull is answered with status and a body
// that holds part.
func (w *mirrorWorld) wantPull(t *testing.T, s *served, status int, part string) {
	t.Helper()
	var got int
	var body string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got, body = w.pull(t, s); got == status && strings.Contains(body, part) {
			return
		}
	}
	t.Fatalf("got %d %s, want %d with %q", got, body, status, part)
}

// metric returns a metric's value.
func (s *served) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, text := s.get(t, "http://"+s.ops+"/metrics")
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s", name)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestTrustThatAMirrorGives is a gateway's life with a mirror: away at the start,
// there, with another root, and away again at the next start.
func TestTrustThatAMirrorGives(t *testing.T) {
	w := newMirrorWorld(t)
	w.away.Store(true)
	s := w.serve(t)
	w.wantPull(t, s, http.StatusServiceUnavailable, "TRUSTED_ROOT_UNAVAILABLE")
	if status, text := s.get(t, "http://"+s.ops+"/readyz?verbose"); status != http.StatusOK || !strings.Contains(text, "[-]trusted-roots: "+w.server.URL+": no trusted root was obtained yet") {
		t.Errorf("got %d %s", status, text)
	}
	if got := s.metric(t, "vouchsafe_trusted_root_expiry_timestamp_seconds"); got != 0 {
		t.Errorf("nothing was obtained and ends at %v", got)
	}

	w.away.Store(false)
	w.wantPull(t, s, http.StatusOK, "layers")
	w.mirror.Asked()
	for range 20 {
		if status, body := w.pull(t, s); status != http.StatusOK {
			t.Fatalf("got %d %s", status, body)
		}
	}
	if asked := w.mirror.Asked(); len(asked) > 0 {
		t.Errorf("pulls had the mirror asked for %q", asked)
	}
	if _, text := s.get(t, "http://"+s.ops+"/readyz?verbose"); !strings.Contains(text, "[+]trusted-roots ok") {
		t.Errorf("got %s", text)
	}
	if got := s.metric(t, "vouchsafe_trusted_root_expiry_timestamp_seconds"); got < float64(time.Now().Unix()) {
		t.Errorf("it ended at %v", got)
	}
	if got := s.metric(t, "vouchsafe_trusted_root_age_seconds"); got < 0 || got > 60 {
		t.Errorf("its age is %v", got)
	}

	// Another process has no business in this one's folder.
	code, _, stderr := program(t, w.environ, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	if code != exitUsage || !strings.Contains(stderr, "another process has it") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	// One that only looks, has.
	if code, _, stderr := program(t, w.environ, "verify", w.image); code != exitOK || strings.Contains(stderr, "asking") {
		t.Errorf("exit code %d: %s", code, stderr)
	}

	if err := w.mirror.Rotate(w.theirs); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.wantPull(t, s, http.StatusForbidden, "TLOG_INVALID")
	s.stop()

	w.away.Store(true)
	again := w.serve(t)
	if status, body := w.pull(t, again); status != http.StatusForbidden || !strings.Contains(body, "TLOG_INVALID") {
		t.Errorf("after a start without the mirror: %d %s", status, body)
	}
}

// TestCommandsWithAMirror: a command may wait for a mirror, and says so; one that
// only reads documents asks nobody.
func TestCommandsWithAMirror(t *testing.T) {
	w := newMirrorWorld(t)
	for _, args := range [][]string{{"config", "validate"}, {"config", "show"}} {
		if code, _, stderr := program(t, w.environ, args...); code != exitOK {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	if asked := w.mirror.Asked(); len(asked) > 0 {
		t.Errorf("the mirror was asked for %q", asked)
	}
	data := strings.TrimPrefix(w.environ[1], "VOUCHSAFE_DATA_DIR=")
	if _, err := os.Stat(data); err == nil {
		t.Error("DATA_DIR was made although nothing is kept")
	}

	w.away.Store(true)
	code, stdout, stderr := program(t, w.environ, "verify", "-o", "json", w.image)
	if code != exitUnknown || !strings.Contains(stdout, "TRUSTED_ROOT_UNAVAILABLE") || !strings.Contains(stderr, "no trusted root was obtained: 2.root.json: the answer is HTTP 503") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	w.away.Store(false)
	for i, args := range [][]string{{"check", w.image}, {"verify", w.image}, {"check", w.image}} {
		code, _, stderr := program(t, w.environ, args...)
		if code != exitOK {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
		if said := strings.Contains(stderr, "asking the TUF mirror "+w.server.URL); said != (i == 0) {
			t.Errorf("%v, time %d: said %q", args, i+1, stderr)
		}
	}
	if asked := len(w.mirror.Asked()); asked != 5 {
		t.Errorf("the mirror was asked for %d files, want 5", asked)
	}

	// What validates is what is served.
	_, stdout, _ = program(t, w.environ, "config", "show", "-o", "json")
	var view struct{ Revision string }
	if err := json.Unmarshal([]byte(stdout), &view); err != nil {
		t.Fatal(err)
	}
	if s := w.serve(t); !strings.Contains(s.log.String(), `"revision":"`+view.Revision+`"`) {
		t.Error("config show has another revision than the gateway")
	}
}

// TestTheWorstOfSeveralMirrorsIsShown, by one number each and by name.
func TestTheWorstOfSeveralMirrorsIsShown(t *testing.T) {
	now := time.Now()
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	failed := errors.New("timestamp.json: the answer is HTTP 503")
	good := verify.MirrorStatus{Mirror: "https://a.test", CheckedAt: day(-1), Expires: day(3), Usable: true}
	stale := verify.MirrorStatus{Mirror: "https://b.test", CheckedAt: day(-2), Expires: day(2), Usable: true, Failure: failed}
	ended := verify.MirrorStatus{Mirror: "https://c.test", CheckedAt: day(-9), Expires: day(-2), Usable: true, Failure: failed}
	past := verify.MirrorStatus{Mirror: "https://d.test", CheckedAt: day(-40), Expires: day(-33), Failure: failed}
	never := verify.MirrorStatus{Mirror: "https://e.test", Failure: failed}
	for _, c := range []struct {
		name    string
		all     []verify.MirrorStatus
		expires float64
		age     float64
		problem string
	}{
		{"a good one", []verify.MirrorStatus{good}, float64(good.Expires.Unix()), 86400, ""},
		{"one that is not refreshed", []verify.MirrorStatus{good, stale}, float64(stale.Expires.Unix()), 2 * 86400, "not refreshed since"},
		{"one that ended", []verify.MirrorStatus{ended, good}, float64(ended.Expires.Unix()), 9 * 86400, "the last good trusted root is in use until"},
		{"one past its grace", []verify.MirrorStatus{good, past, ended}, float64(past.Expires.Unix()), 40 * 86400, "is past its grace"},
		{"one that gave nothing", []verify.MirrorStatus{never, good}, 0, 86400, "no trusted root was obtained yet"},
	} {
		m := newMetrics()
		m.mirrors = func() []verify.MirrorStatus { return c.all }
		families, err := m.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
		}
		age := got["vouchsafe_trusted_root_age_seconds"]
		if got["vouchsafe_trusted_root_expiry_timestamp_seconds"] != c.expires || age < c.age || age > c.age+60 {
			t.Errorf("%s: got %v and %v, want %v and %v", c.name, got["vouchsafe_trusted_root_expiry_timestamp_seconds"], age, c.expires, c.age)
		}
		problem := ""
		for _, one := range c.all {
			problem += mirrorProblem(one, now)
		}
		if !strings.Contains(problem, c.problem) || (c.problem == "") != (problem == "") {
			t.Errorf("%s: got %q, want %q", c.name, problem, c.problem)
		}
	}
}

// TestADataFolderThatCannotBeMade: a gateway that needs it does not start without.
func TestADataFolderThatCannotBeMade(t *testing.T) {
	w := newMirrorWorld(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.environ[1] = "VOUCHSAFE_DATA_DIR=" + file
	code, _, stderr := program(t, w.environ, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	if code != exitUsage || !strings.Contains(stderr, "spec.trustedRoot.tuf: open DATA_DIR") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, _, stderr = program(t, w.environ, "verify", w.image)
	if code != exitOK || !strings.Contains(stderr, "trusted roots are not kept") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
