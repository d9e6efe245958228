package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vouchsafe/config"
	"vouchsafe/internal/lab"
)

// dials notes every host that is looked up and every address that is dialled on
// behalf of a context, whichever part of the program does it, and of the default
// transport, which nothing here should use.
type dials struct {
	mu   sync.Mutex
	seen map[string]bool // guarded by mu
}

// newDials watches until the end of the test, which must not be parallel.
func newDials(t *testing.T) *dials {
	t.Helper()
	d := &dials{seen: map[string]bool{}}
	usual := http.DefaultTransport
	http.DefaultTransport = notedTransport{d}
	t.Cleanup(func() { http.DefaultTransport = usual })
	return d
}

func (d *dials) note(where string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[where] = true
}

// trace is put into the contexts of requests and commands. What goes on after an
// answer keeps the values of its context.
func (d *dials) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		ConnectStart: func(_, address string) { d.note(address) },
		DNSStart:     func(info httptrace.DNSStartInfo) { d.note("DNS of " + info.Host) },
	}
}

// taken returns what was dialled since the last call, sorted.
func (d *dials) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	where := slices.Sorted(maps.Keys(d.seen))
	clear(d.seen)
	return where
}

// notedTransport refuses whatever goes round the program's own transports.
type notedTransport struct{ d *dials }

// RoundTrip implements [http.RoundTripper].
func (n notedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	n.d.note("by the default transport " + r.URL.Host)
	return nil, errors.New("forbidden")
}

// block is a part of the spec of a SignatureIntegration.
type block = map[string]any

// offlineWay is one recorded image under one trust.
type offlineWay struct {
	name, image string
	// reason is why it is refused; empty is Verified.
	reason string
	spec   []block
}

// offlineWays are all methods, in each form that was recorded, with the trust from
// a trusted root, and once more from single PEMs. Keys of Rekor v2 come from a
// trusted root alone.
func offlineWays(t *testing.T) []offlineWay {
	t.Helper()
	pem := func(name string) string { return string(readRecorded(t, recordedTrust+name, nil)) }
	key := block{"publicKeys": []any{block{"name": "k1", "key": pem("k1.pub")}}}
	root := block{"trustedRoot": block{"file": "trusted_root.json"}}
	unlogged := block{"transparencyLog": block{"enabled": false, "offline": true}}
	logged := block{"transparencyLog": block{"enabled": true, "offline": true}}
	inRekor := block{"transparencyLog": block{"enabled": true, "offline": true, "publicKey": pem("rekor.pub")}}
	stamped := block{"timestampAuthority": block{"enabled": true}}
	byStamper := block{"timestampAuthority": block{"enabled": true, "chain": pem("tsa-chain.pem")}}
	certificate := func(by []string, more block) block {
		one := block{"identity": by[1], "oidcIssuer": by[3]}
		maps.Copy(one, more)
		return block{"certificates": []any{one}}
	}
	fulcio := block{"chain": pem("fulcio-chain.pem"), "certificateTransparency": block{"enabled": true, "publicKey": pem("ctlog.pub")}}
	own := certificate(byOwnAuthority, block{"chain": pem("own-chain.pem")})
	developer, workflow := certificate(byDeveloper, nil), certificate(byWorkflow, nil)
	developerOfFulcio, workflowOfFulcio := certificate(byDeveloper, fulcio), certificate(byWorkflow, fulcio)
	return []offlineWay{
		{"a key", "key-nolog", "", []block{key, unlogged}},
		{"a key, a bundle", "b-key-nolog", "", []block{key, unlogged}},
		{"a key, an index", "index", "", []block{key, unlogged}},
		{"a key, an attestation", "att", "Unsigned", []block{key, unlogged}},
		{"a key, nothing", "unsigned", "Unsigned", []block{key, unlogged}},
		{"a key and a log", "key-log", "", []block{key, root, logged}},
		{"a key and a log, PEM", "key-log", "", []block{key, inRekor}},
		{"a key and a log, a bundle", "b-key", "", []block{key, root, logged}},
		{"a key and a log, a bundle, PEM", "b-key", "", []block{key, inRekor}},
		{"a key and a log v2, a bundle", "b2-key", "", []block{key, root, logged}},
		{"a key and a log, whose entry is not attached", "key-online", "TLOG_MISSING", []block{key, root, logged}},
		{"a key and a log, whose entry is not attached, PEM", "key-online", "TLOG_MISSING", []block{key, inRekor}},
		{"a key and the public log", "key-online", "TLOG_MISSING", []block{key, logged}},
		{"a key and a timestamp, a bundle", "b-key", "", []block{key, root, stamped, unlogged}},
		{"a key and a timestamp, a bundle, PEM", "b-key", "", []block{key, byStamper, unlogged}},
		{"a key and no timestamp", "key-log", "TIMESTAMP_MISSING", []block{key, byStamper, unlogged}},
		{"an own authority", "own-ca", "", []block{own, unlogged}},
		{"an own authority and a log", "own-ca-log", "", []block{own, root, logged}},
		{"an own authority and a log, PEM", "own-ca-log", "", []block{own, inRekor}},
		{"keyless", "keyless", "", []block{developer, root, logged}},
		{"keyless, PEM", "keyless", "", []block{developerOfFulcio, inRekor}},
		{"keyless, a workflow", "keyless-gha", "", []block{workflow, root, logged}},
		{"keyless, a workflow, PEM", "keyless-gha", "", []block{workflowOfFulcio, inRekor}},
		{"keyless by cosign 3", "l3-keyless", "", []block{developer, root, logged}},
		{"keyless by cosign 3, PEM", "l3-keyless", "", []block{developerOfFulcio, inRekor}},
		{"keyless and a timestamp", "keyless-tsa", "", []block{developer, root, stamped, unlogged}},
		{"keyless and a timestamp, PEM", "keyless-tsa", "", []block{developerOfFulcio, byStamper, unlogged}},
		{"keyless, a bundle", "b-keyless", "", []block{developer, root, logged}},
		{"keyless, a bundle, PEM", "b-keyless", "", []block{developerOfFulcio, inRekor}},
		{"keyless, a bundle with a timestamp, PEM", "b-keyless", "", []block{developerOfFulcio, inRekor, byStamper}},
		{"keyless and a log v2, a bundle", "b2-keyless", "", []block{developer, root, logged}},
		{"keyless and a log v2, a bundle, PEM but for the log", "b2-keyless", "", []block{developerOfFulcio, byStamper, root, logged}},
		{"keyless under the embedded root", "keyless", "TLOG_INVALID", []block{developer, logged}},
	}
}

// offlineFolder writes documents: docker.io is the registry, and what it holds has
// to satisfy the blocks.
func offlineFolder(t *testing.T, registry *lab.Registry, blocks []block) string {
	t.Helper()
	dir := t.TempDir()
	spec := block{}
	for _, one := range blocks {
		maps.Copy(spec, one)
	}
	document := func(kind, name string, spec block) string {
		text, err := json.Marshal(block{"apiVersion": "vouchsafe.dev/v1alpha1", "kind": kind, "metadata": block{"name": name}, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	all := strings.Join([]string{
		document("Registry", "docker.io", block{"endpoint": "http://" + registry.Host(), "plainHTTP": true, "allowPrivateAddresses": true}),
		document("SignatureIntegration", "signers", spec),
		document("ImagePolicy", "signed", block{"signers": []string{"signers"}, "behavior": "InformAndEnforce"}),
	}, "\n---\n")
	for name, text := range map[string][]byte{
		"all.yaml": []byte(all), "trusted_root.json": readRecorded(t, recordedTrust+"trusted_root.json", nil),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pullWatched pulls a recorded image through the whole stack and returns the
// status and the body.
func pullWatched(t *testing.T, d *dials, dir, image string) (int, string) {
	t.Helper()
	settings, err := config.LoadSettings([]string{"VOUCHSAFE_CONFIG_DIR=" + dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := config.Load(dir, config.LoadOptions{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	ledger := &ledger{lines: map[string][]line{}}
	s := newStack(func() *config.Snapshot { return snapshot }, settings, outside{sink: ledger}, newMetrics(), newLogger(io.Discard, settings))
	request := httptest.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), d.trace()),
		http.MethodGet, "/v2/docker.io/library/"+image+"/manifests/v1", http.NoBody)
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, request)
	// What goes on after the answer counts too.
	s.close()
	return answer.Code, answer.Body.String()
}

// verifyWatched asks "verify" the same.
func verifyWatched(t *testing.T, d *dials, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code := run(httptrace.WithClientTrace(t.Context(), d.trace()), args, strings.NewReader(""), &stdout, &stderr, nil)
	return code, stdout.String() + stderr.String()
}

// TestOfflineAsksTheRegistryAlone judges every method with "offline: true", at the
// pull path and by "verify", and allows no dial but to the registry.
func TestOfflineAsksTheRegistryAlone(t *testing.T) {
	registry := recordedRegistry(t)
	d := newDials(t)
	for _, way := range offlineWays(t) {
		t.Run(way.name, func(t *testing.T) {
			dir := offlineFolder(t, registry, way.spec)
			status, exits := http.StatusOK, exitOK
			if way.reason != "" {
				status, exits = http.StatusForbidden, exitRefused
			}
			got, body := pullWatched(t, d, dir, way.image)
			if got != status || way.reason != "" && !strings.Contains(body, reasonOf(way.reason)) {
				t.Errorf("the pull got %d, want %d %s: %s", got, status, way.reason, body)
			}
			if where := d.taken(); !slices.Equal(where, []string{registry.Host()}) {
				t.Errorf("the pull dialled %q, want the registry %s alone", where, registry.Host())
			}
			code, said := verifyWatched(t, d, "verify", "--config-dir", dir, "docker.io/library/"+way.image+":v1")
			if code != exits || !strings.Contains(said, way.reason) {
				t.Errorf("verify ended with %d, want %d %s: %s", code, exits, way.reason, said)
			}
			if where := d.taken(); !slices.Equal(where, []string{registry.Host()}) {
				t.Errorf("verify dialled %q, want the registry %s alone", where, registry.Host())
			}
		})
	}
}

// reasonOf is what a refusal of the pull says.
func reasonOf(reason string) string {
	if reason == "Unsigned" {
		return "UNSIGNED"
	}
	return reason
}

// TestOnlineTheLogIsSeenToBeDialled shows that the watch of the test above sees
// what it is to forbid.
func TestOnlineTheLogIsSeenToBeDialled(t *testing.T) {
	registry := recordedRegistry(t)
	rekor := httptest.NewServer(http.NotFoundHandler())
	defer rekor.Close()
	d := newDials(t)
	key := block{"publicKeys": []any{block{"name": "k1", "key": string(readRecorded(t, recordedTrust+"k1.pub", nil))}}}
	online := block{"transparencyLog": block{
		"enabled": true, "offline": false, "url": rekor.URL, "publicKey": string(readRecorded(t, recordedTrust+"rekor.pub", nil)),
	}}
	dir := offlineFolder(t, registry, []block{key, online})
	want := []string{registry.Host(), strings.TrimPrefix(rekor.URL, "http://")}
	slices.Sort(want)
	if status, body := pullWatched(t, d, dir, "key-online"); status != http.StatusServiceUnavailable {
		t.Errorf("the pull got %d, want 503: %s", status, body)
	}
	if where := d.taken(); !slices.Equal(where, want) {
		t.Errorf("the pull dialled %q, want %q", where, want)
	}
	if code, said := verifyWatched(t, d, "verify", "--config-dir", dir, "docker.io/library/key-online:v1"); code != exitUnknown {
		t.Errorf("verify ended with %d, want %d: %s", code, exitUnknown, said)
	}
	if where := d.taken(); !slices.Equal(where, want) {
		t.Errorf("verify dialled %q, want %q", where, want)
	}
}

// TestAPublicBundleIsVerifiedWithoutADial has a bundle of the public instance
// under the embedded trusted root, and recorded ones in each format, where not even
// a registry is to be asked.
func TestAPublicBundleIsVerifiedWithoutADial(t *testing.T) {
	logBundle, logDigest := imageBundle(t, "b-keyless")
	tileBundle, tileDigest := imageBundle(t, "b2-keyless")
	d := newDials(t)
	for name, args := range map[string][]string{
		"the public instance": append(slices.Clone(bySigstoreJS), "--bundle", bundles+"provenance.json", provenanceOf),
		"a log":               slices.Concat(byDeveloper, withRecorded[:2], []string{"--bundle", logBundle, logDigest}),
		"a log v2":            slices.Concat(byDeveloper, withRecorded[:2], []string{"--bundle", tileBundle, tileDigest}),
		"a key":               {"--key", bundles + "key-stamped.pub", "--bundle", bundles + "key-stamped.json", keyStampedOf},
	} {
		if code, said := verifyWatched(t, d, append([]string{"verify-bundle"}, args...)...); code != exitOK {
			t.Errorf("%s: verify-bundle ended with %d, want %d: %s", name, code, exitOK, said)
		}
		if where := d.taken(); len(where) > 0 {
			t.Errorf("%s: verify-bundle dialled %q", name, where)
		}
	}
	if code, said := verifyWatched(t, d, slices.Concat([]string{"verify", "--layout", recordedLayout, "keyless:v1"}, byDeveloper, withRecorded)...); code != exitOK {
		t.Errorf("verify of a folder ended with %d: %s", code, said)
	}
	if where := d.taken(); len(where) > 0 {
		t.Errorf("verify of a folder dialled %q", where)
	}
	// The watch is set for what a command without a registry might use.
	if _, err := http.Get("http://rekor.test/api/v1/log"); err == nil || fmt.Sprint(d.taken()) != "[by the default transport rekor.test]" {
		t.Errorf("the default transport is not watched: %v", err)
	}
}
