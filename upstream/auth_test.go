package upstream_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

const (
	secretUser     = "robot"
	secretPassword = "canary-password"
	secretIdentity = "canary-identity"
	getOne         = "GET /v2/acme/api/manifests/1"
)

// passwordFiles is the content of the credential files of these tests.
func passwordFiles() upstream.Files {
	return files(map[string]string{"user": secretUser + "\n", "password": secretPassword + "\r\n"})
}

// withPassword adds credentials to the server's document.
func (s *server) withPassword() upstream.Spec {
	spec := s.spec()
	spec.Access = "Shared"
	spec.Credentials = &upstream.CredentialsSpec{UsernameFile: "user", PasswordFile: "password"}
	return spec
}

func basicValue() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(secretUser+":"+secretPassword))
}

// gate answers 401 with challenges until the request carries one of good.
type gate struct {
	mu         sync.Mutex
	good       string
	challenges []string
}

func (g *gate) set(good string, challenges ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.good, g.challenges = good, challenges
}

func (g *gate) pass(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Header.Get("Authorization") == g.good {
		return true
	}
	for _, c := range g.challenges {
		w.Header().Add("WWW-Authenticate", c)
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

func TestBasicIsAskedForOnceAndThenPresented(t *testing.T) {
	g := &gate{}
	g.set(basicValue(), `Basic realm="acme"`)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if g.pass(w, r) {
			writeString(w, "{}")
		}
	})
	client := open(t, s.host(), s.withPassword(), passwordFiles())
	for range 2 {
		if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
			t.Fatal(err)
		}
	}
	asked := s.take()
	if len(asked) != 3 || asked[0].authorization != "" || asked[1].authorization != basicValue() || asked[2].authorization != basicValue() {
		t.Errorf("got %d requests, want an anonymous one and two with Basic", len(asked))
	}
}

func TestRefusedBasicIsNotRepeated(t *testing.T) {
	g := &gate{}
	g.set("never", `Basic realm="acme"`)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { g.pass(w, r) })
	client := open(t, s.host(), s.withPassword(), passwordFiles())
	for _, want := range []int{2, 1} {
		_, err := client.GetManifest(t.Context(), s.image())
		wantCode(t, err, oci.CodeUnauthorized, "")
		if got := len(s.take()); got != want {
			t.Errorf("got %d requests, want %d", got, want)
		}
	}
}

// tokenServer is a registry whose token service is at /token of the same origin.
func tokenServer(t *testing.T, token func(w http.ResponseWriter, r *http.Request)) (*server, *gate) {
	t.Helper()
	g := &gate{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			token(w, r)
			return
		}
		if g.pass(w, r) {
			writeString(w, "{}")
		}
	})
	g.set("Bearer T1", s.challenge())
	return s, g
}

func (s *server) challenge() string {
	return fmt.Sprintf(`Bearer realm="%s/token",service="reg",scope="repository:other/thing:pull,push"`, s.URL)
}

const tokenLine = "GET /token?scope=repository%3Aacme%2Fapi%3Apull&service=reg"

func TestBearerFlows(t *testing.T) {
	now := time.Now()
	var clock atomic.Int64
	s, g := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1","expires_in":100}`) })
	client := openWith(t, s.host(), s.spec(), nil, upstream.Config{
		Now: func() time.Time { return now.Add(time.Duration(clock.Load())) },
	})
	get := func(code oci.Code, want ...string) {
		t.Helper()
		_, err := client.GetManifest(t.Context(), s.image())
		if err != nil && oci.CodeOf(err) != code || err == nil && code != 0 {
			t.Fatalf("got %v, want %v", err, code)
		}
		if diff := cmp.Diff(want, s.lines()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	}
	get(0, getOne, tokenLine, getOne)
	// Warm: one request.
	get(0, getOne)
	// A tenth of its life before its end the token is given up, without a 401.
	clock.Store(int64(89 * time.Second))
	get(0, getOne)
	clock.Store(int64(91 * time.Second))
	get(0, tokenLine, getOne)
	// Revoked: one refresh, then it is a refusal.
	g.set("Bearer T2", s.challenge())
	get(oci.CodeUnauthorized, getOne, tokenLine, getOne)
	// The registry opens to all.
	g.set("", "")
	get(oci.CodeUnauthorized, getOne)
}

func TestBearerTokenIsFetchedOnceForManyRequests(t *testing.T) {
	const many = 20
	var tokens, arrived atomic.Int64
	all := make(chan struct{})
	g := &gate{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			tokens.Add(1)
			writeString(w, `{"access_token":"T1"}`)
		case r.Header.Get("Authorization") == "":
			// Nobody is challenged before everybody has asked.
			if arrived.Add(1) == many {
				close(all)
			}
			<-all
			g.pass(w, r)
		case g.pass(w, r):
			writeString(w, "{}")
		}
	})
	g.set("Bearer T1", s.challenge())
	client := open(t, s.host(), s.spec(), nil)
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := tokens.Load(); got != 1 {
		t.Errorf("got %d token requests, want 1", got)
	}
}

func TestTokenRequestsCarryTheCredentials(t *testing.T) {
	identity := base64.StdEncoding.EncodeToString([]byte("<token>:"))
	dockerWithIdentity := func(host string) string {
		return fmt.Sprintf(`{"auths":{%q:{"auth":%q,"identitytoken":%q}}}`, host, identity, secretIdentity)
	}
	for _, row := range []struct {
		name     string
		identity bool
		noGet    int
		want     []string
		form     string
	}{
		{name: "user and password by GET with Basic", want: []string{getOne, "GET /token?account=robot&scope=repository%3Aacme%2Fapi%3Apull&service=reg", getOne}},
		{
			name: "a service without GET gets the form", noGet: http.StatusMethodNotAllowed,
			want: []string{getOne, "GET /token?account=robot&scope=repository%3Aacme%2Fapi%3Apull&service=reg", "POST /token", getOne},
			form: "client_id=vouchsafe&grant_type=password&password=canary-password&scope=repository%3Aacme%2Fapi%3Apull&service=reg&username=robot",
		},
		{
			name: "a service that hides GET gets the form", noGet: http.StatusNotFound,
			want: []string{getOne, "GET /token?account=robot&scope=repository%3Aacme%2Fapi%3Apull&service=reg", "POST /token", getOne},
			form: "client_id=vouchsafe&grant_type=password&password=canary-password&scope=repository%3Aacme%2Fapi%3Apull&service=reg&username=robot",
		},
		{
			name: "an identity token by the form", identity: true,
			want: []string{getOne, "POST /token", getOne},
			form: "client_id=vouchsafe&grant_type=refresh_token&refresh_token=canary-identity&scope=repository%3Aacme%2Fapi%3Apull&service=reg",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, _ := tokenServer(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodGet && row.noGet != 0:
					w.WriteHeader(row.noGet)
				case r.Method == http.MethodGet && r.Header.Get("Authorization") != basicValue():
					w.WriteHeader(http.StatusUnauthorized)
				default:
					writeString(w, `{"token":"T1"}`)
				}
			})
			spec, read := s.withPassword(), passwordFiles()
			if row.identity {
				spec.Credentials = &upstream.CredentialsSpec{DockerConfigFile: "config.json"}
				read = files(map[string]string{"config.json": dockerWithIdentity(s.host())})
			}
			if _, err := open(t, s.host(), spec, read).GetManifest(t.Context(), s.image()); err != nil {
				t.Fatal(err)
			}
			asked := s.take()
			var lines []string
			form := ""
			for _, entry := range asked {
				lines = append(lines, entry.line)
				form += entry.form
				if strings.HasPrefix(entry.authorization, "Basic") && !strings.HasPrefix(entry.line, "GET /token") {
					t.Errorf("the password went to %s", entry.line)
				}
			}
			if diff := cmp.Diff(row.want, lines); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if form != row.form {
				t.Errorf("form: got %s, want %s", form, row.form)
			}
		})
	}
}

func TestTokenServiceFaults(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		code   oci.Code
		reason string
	}{
		{"501", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(501) }, oci.CodeUpstream, "status"},
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, oci.CodeUnauthorized, ""},
		{"404 without credentials", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, oci.CodeUpstream, "status"},
		{"429", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, oci.CodeBusy, "paused"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { writeString(w, "<html>") }, oci.CodeUpstream, "token"},
		{"no token", func(w http.ResponseWriter, _ *http.Request) { writeString(w, "{}") }, oci.CodeUpstream, "token"},
		{"a token that would break the header", func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"a\r\nX: y"}`) }, oci.CodeUpstream, "token"},
		{"a token over the ceiling", func(w http.ResponseWriter, _ *http.Request) {
			writeString(w, `{"token":"`+strings.Repeat("a", 17<<10)+`"}`)
		}, oci.CodeUpstream, "token"},
		{"an endless answer", func(w http.ResponseWriter, _ *http.Request) { endless(w, 3<<20) }, oci.CodeUpstream, "token"},
		{"an encoded answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			writeString(w, `{"token":"T1"}`)
		}, oci.CodeUpstream, "content_encoding"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, _ := tokenServer(t, row.answer)
			client := open(t, s.host(), s.spec(), nil)
			_, err := client.GetManifest(t.Context(), s.image())
			wantCode(t, err, row.code, row.reason)
			if got := len(s.take()); got != 2 {
				t.Errorf("got %d requests, want 2", got)
			}
		})
	}
}

func TestTokenServiceThatFailedIsAskedForAgain(t *testing.T) {
	var broken atomic.Bool
	s, _ := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		writeString(w, `{"token":"T1"}`)
	})
	var clock atomic.Int64
	start := time.Now()
	client := openWith(t, s.host(), s.spec(), nil, upstream.Config{
		Now: func() time.Time { return start.Add(time.Duration(clock.Load())) },
	})
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	clock.Store(int64(time.Hour))
	_, err := client.GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "status")
	broken.Store(false)
	s.take()
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{getOne, tokenLine, getOne}, s.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestTokenServiceThatMoved: the remembered service refuses, and the registry
// names another one now.
func TestTokenServiceThatMoved(t *testing.T) {
	for _, refusal := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(itoa(refusal), func(t *testing.T) {
			var realm atomic.Value
			realm.Store("old")
			var s *server
			s = serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch now := realm.Load().(string); {
				case strings.HasPrefix(r.URL.Path, "/token-"):
					if r.URL.Path != "/token-"+now {
						w.WriteHeader(refusal)
						return
					}
					writeString(w, `{"token":"`+now+`","expires_in":100}`)
				case r.Header.Get("Authorization") == "Bearer "+now:
					writeString(w, "{}")
				default:
					w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token-%s"`, s.URL, now))
					w.WriteHeader(http.StatusUnauthorized)
				}
			})
			start := time.Now()
			var clock atomic.Int64
			client := openWith(t, s.host(), s.spec(), nil, upstream.Config{
				Now: func() time.Time { return start.Add(time.Duration(clock.Load())) },
			})
			get := func(code oci.Code, want ...string) {
				t.Helper()
				_, err := client.GetManifest(t.Context(), s.image())
				if err != nil && oci.CodeOf(err) != code || err == nil && code != 0 {
					t.Fatalf("got %v, want %v", err, code)
				}
				if diff := cmp.Diff(want, s.lines()); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			}
			tokenAt := func(name string) string { return "GET /token-" + name + "?scope=repository%3Aacme%2Fapi%3Apull" }
			get(0, getOne, tokenAt("old"), getOne)
			realm.Store("new")
			clock.Store(int64(time.Hour))
			get(0, tokenAt("old"), getOne, tokenAt("new"), getOne)
			get(0, getOne)
		})
	}
}

// TestTokenServiceThatRefusesIsAskedOncePerRequest: a registry that names it
// again does not make it a second time, and one that names a stranger nobody.
func TestTokenServiceThatRefusesIsAskedOncePerRequest(t *testing.T) {
	canary := serve(t, good)
	var refuses atomic.Bool
	s, g := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if refuses.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		writeString(w, `{"token":"T1","expires_in":1}`)
	})
	start := time.Now()
	var clock atomic.Int64
	client := openWith(t, s.host(), s.spec(), nil, upstream.Config{
		Now: func() time.Time { return start.Add(time.Duration(clock.Load())) },
	})
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	s.take()
	refuses.Store(true)
	clock.Store(int64(time.Hour))
	want := []string{tokenLine, getOne}
	_, err := client.GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUnauthorized, "")
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Errorf("named again: requests (-want +got):\n%s", diff)
	}
	g.set("Bearer T1", fmt.Sprintf(`Bearer realm="%s/token",service="reg"`, canary.URL))
	_, err = client.GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "token_realm")
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Errorf("a stranger: requests (-want +got):\n%s", diff)
	}
	if asked := canary.lines(); len(asked) != 0 {
		t.Errorf("canary was asked: %v", asked)
	}
}

func TestUnanswerableChallenges(t *testing.T) {
	for name, challenges := range map[string][]string{
		"none":                         nil,
		"a scheme that nobody knows":   {"Negotiate"},
		"no realm":                     {`Bearer service="reg"`},
		"a realm that is no URL":       {`Bearer realm="::"`},
		"a relative realm":             {`Bearer realm="/token"`},
		"a realm with a password":      {`Bearer realm="http://a:b@127.0.0.1/token"`},
		"a realm of another scheme":    {`Bearer realm="file:///etc/passwd"`},
		"a realm twice":                {`Bearer realm="http://127.0.0.1/a",realm="http://127.0.0.1/b"`},
		"Basic without credentials":    {`Basic realm="x"`},
		"a header over the ceiling":    {`Bearer realm="http://127.0.0.1/` + strings.Repeat("a", 9<<10) + `"`},
		"a quoted string without end":  {`Bearer realm="http://127.0.0.1/`},
		"a parameter without a scheme": {`realm="http://127.0.0.1/"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gate{}
			g.set("never", challenges...)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { g.pass(w, r) })
			_, err := open(t, s.host(), s.spec(), nil).GetManifest(t.Context(), s.image())
			wantCode(t, err, oci.CodeUnauthorized, "")
			if got := len(s.take()); got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
		})
	}
}

func endless(w http.ResponseWriter, bytes int) {
	chunk := []byte(strings.Repeat(" ", 64<<10))
	for ; bytes > 0; bytes -= len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
