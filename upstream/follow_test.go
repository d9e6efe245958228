package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

var content = []byte("the content of a layer")

// asks are the operations that redirects apply to alike.
var asks = map[string]func(ctx context.Context, c *upstream.Client, s *server) error{
	"manifest": func(ctx context.Context, c *upstream.Client, s *server) error {
		_, err := c.GetManifest(ctx, s.image())
		return err
	},
	"manifest by HEAD": func(ctx context.Context, c *upstream.Client, s *server) error {
		_, err := c.HeadManifest(ctx, s.image())
		return err
	},
	"blob": func(ctx context.Context, c *upstream.Client, s *server) error {
		blob, err := c.OpenBlob(ctx, s.repository(), oci.SHA256(content), "")
		if err != nil {
			return err
		}
		return blob.Body.Close()
	},
	"blob by HEAD": func(ctx context.Context, c *upstream.Client, s *server) error {
		_, err := c.HeadBlob(ctx, s.repository(), oci.SHA256(content))
		return err
	},
	"small blob": func(ctx context.Context, c *upstream.Client, s *server) error {
		_, err := c.SmallBlob(ctx, s.repository(), oci.SHA256(content), 1<<20)
		return err
	},
	"tags": func(ctx context.Context, c *upstream.Client, s *server) error {
		_, _, err := c.Tags(ctx, s.repository(), 0, "")
		return err
	},
	"referrers": func(ctx context.Context, c *upstream.Client, s *server) error {
		_, err := c.Referrers(ctx, s.repository(), oci.SHA256(content))
		return err
	},
}

// good answers every operation of asks well.
func good(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.Contains(r.URL.Path, "/blobs/"):
		_, _ = w.Write(content)
	case strings.Contains(r.URL.Path, "/tags/"):
		writeString(w, `{"tags":["1"]}`)
	default:
		w.Header().Set("Content-Type", oci.MediaTypeImageIndex)
		writeString(w, `{"schemaVersion":2,"manifests":[]}`)
	}
}

// redirecting wants Basic and then sends every request elsewhere.
func redirecting(t *testing.T, status int, target func(r *http.Request) string) *server {
	t.Helper()
	g := &gate{}
	g.set(basicValue(), "Basic realm=x")
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("back") {
			good(w, r)
			return
		}
		if g.pass(w, r) {
			w.Header().Set("Location", target(r))
			w.WriteHeader(status)
		}
	})
}

func TestRedirectsDropCredentialsForEveryOperation(t *testing.T) {
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			elsewhere := serve(t, good)
			s := redirecting(t, http.StatusTemporaryRedirect, func(r *http.Request) string { return elsewhere.URL + r.URL.Path + "?signature=x" })
			spec := s.withPassword()
			spec.RedirectHosts = []string{elsewhere.host()}
			if err := ask(t.Context(), open(t, s.host(), spec, passwordFiles()), s); err != nil {
				t.Fatal(err)
			}
			got := elsewhere.take()
			if len(got) != 1 {
				t.Fatalf("target: got %d requests, want 1", len(got))
			}
			for _, secret := range []string{"Authorization", "Cookie", "Proxy-Authorization", "Www-Authenticate"} {
				if got[0].header.Get(secret) != "" {
					t.Errorf("%s went to another origin", secret)
				}
			}
		})
	}
}

func TestRedirectToAPrivateHostThatIsNotNamedIsRefusedForEveryOperation(t *testing.T) {
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			canary := serve(t, good)
			s := redirecting(t, http.StatusFound, func(r *http.Request) string { return canary.URL + r.URL.Path })
			spec := s.withPassword()
			// A token host may receive credentials, but no redirects.
			spec.TokenHosts = []string{canary.host()}
			err := ask(t.Context(), open(t, s.host(), spec, passwordFiles()), s)
			wantCode(t, err, oci.CodeUpstream, "address_refused")
			if got := canary.lines(); len(got) != 0 {
				t.Errorf("canary was asked: %v", got)
			}
		})
	}
}

func TestRedirectsKeepCredentialsAtTheOrigin(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{"/elsewhere", "elsewhere", "//SELF/elsewhere", "http://SELF/elsewhere"} {
			g := &gate{}
			g.set(basicValue(), "Basic realm=x")
			var s *server
			s = serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !g.pass(w, r):
				case strings.HasSuffix(r.URL.Path, "/elsewhere"):
					writeString(w, "{}")
				default:
					w.Header().Set("Location", strings.ReplaceAll(target, "SELF", s.host()))
					w.WriteHeader(status)
				}
			})
			if _, err := open(t, s.host(), s.withPassword(), passwordFiles()).GetManifest(t.Context(), s.image()); err != nil {
				t.Errorf("%d to %s: %v", status, target, err)
			}
		}
	}
}

func TestCredentialsDoNotComeBackWithARedirect(t *testing.T) {
	var s *server
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.URL+r.URL.Path+"?back", http.StatusTemporaryRedirect)
	})
	s = redirecting(t, http.StatusTemporaryRedirect, func(r *http.Request) string { return elsewhere.URL + r.URL.Path })
	spec := s.withPassword()
	spec.RedirectHosts = []string{elsewhere.host()}
	if _, err := open(t, s.host(), spec, passwordFiles()).GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	asked := s.take()
	if last := asked[len(asked)-1]; !strings.HasSuffix(last.line, "?back") || last.authorization != "" {
		t.Errorf("got %q with Authorization %v, want ?back without", last.line, last.authorization != "")
	}
}

func TestChallengeBehindARedirectIsNotAnswered(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic realm=x")
		w.WriteHeader(http.StatusUnauthorized)
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	spec := s.withPassword()
	spec.RedirectHosts = []string{elsewhere.host()}
	_, err := open(t, s.host(), spec, passwordFiles()).GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUnauthorized, "")
	for _, entry := range append(elsewhere.take(), s.take()...) {
		if entry.authorization != "" {
			t.Errorf("credentials went to %s", entry.line)
		}
	}
}

func TestRefusedRedirects(t *testing.T) {
	for _, row := range []struct {
		name     string
		location func(s *server, r *http.Request) []string
		requests int
	}{
		{"no Location", func(*server, *http.Request) []string { return nil }, 1},
		{"an empty Location", func(*server, *http.Request) []string { return []string{""} }, 1},
		{"two Locations", func(*server, *http.Request) []string { return []string{"/a", "/b"} }, 1},
		{"a loop of one", func(_ *server, r *http.Request) []string { return []string{r.URL.Path} }, 1},
		{"a loop of two", func(_ *server, r *http.Request) []string {
			if r.URL.Path == "/a" {
				return []string{"/v2/acme/api/manifests/1"}
			}
			return []string{"/a"}
		}, 2},
		{"a chain of twenty", func(_ *server, r *http.Request) []string { return []string{r.URL.Path + "x"} }, 6},
		{"a scheme that is not HTTP", func(*server, *http.Request) []string { return []string{"file:///etc/passwd"} }, 1},
		{"a user name in the target", func(s *server, _ *http.Request) []string { return []string{"http://user@" + s.host() + "/x"} }, 1},
		{"no host", func(*server, *http.Request) []string { return []string{"http:///x"} }, 1},
		{"no URL", func(*server, *http.Request) []string { return []string{"http://[::1"} }, 1},
		{"a port that is none", func(*server, *http.Request) []string { return []string{"http://127.0.0.1:99999/"} }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			var s *server
			s = serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Location"] = row.location(s, r)
				w.WriteHeader(http.StatusFound)
			})
			_, err := open(t, s.host(), s.spec(), nil).GetManifest(t.Context(), s.image())
			wantCode(t, err, oci.CodeUpstream, "redirect")
			if got := len(s.take()); got != row.requests {
				t.Errorf("got %d requests, want %d", got, row.requests)
			}
		})
	}
}

func TestRedirectFromTLSToPlainIsRefused(t *testing.T) {
	canary := serve(t, good)
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, canary.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	spec := s.spec()
	spec.CAFile, spec.RedirectHosts = "ca.pem", []string{canary.host()}
	client := open(t, s.host(), spec, files(map[string]string{"ca.pem": s.certificate()}))
	_, err := client.GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "redirect")
	if got := len(canary.take()); got != 0 {
		t.Errorf("canary: got %d requests", got)
	}
}

func TestTokenRedirects(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) })
	for _, noGet := range []bool{false, true} {
		s, _ := tokenServer(t, func(w http.ResponseWriter, r *http.Request) {
			if noGet && r.Method == http.MethodGet {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		})
		spec := s.withPassword()
		spec.RedirectHosts = []string{elsewhere.host()}
		_, err := open(t, s.host(), spec, passwordFiles()).GetManifest(t.Context(), s.image())
		got := elsewhere.take()
		if noGet {
			wantCode(t, err, oci.CodeUpstream, "redirect")
			if len(got) != 0 {
				t.Errorf("the form went elsewhere")
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0].authorization != "" {
			t.Errorf("got %v and %d requests, want one without credentials", err, len(got))
		}
	}
}

func TestTimeouts(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		reason string
	}{
		{"accepts and never answers", func(_ http.ResponseWriter, r *http.Request) { wait(r, hold) }, "header"},
		{"stalls in the body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			wait(r, hold)
		}, "idle"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			spec := s.spec()
			spec.Timeouts = &upstream.TimeoutsSpec{Header: short(50 * time.Millisecond), Idle: short(50 * time.Millisecond)}
			client := open(t, s.host(), spec, nil)
			_, err := client.GetManifest(t.Context(), s.image())
			wantCode(t, err, oci.CodeTimeout, row.reason)
		})
	}
}

// wait holds a request until the test ends or the client leaves.
func wait(r *http.Request, hold <-chan struct{}) {
	select {
	case <-hold:
	case <-r.Context().Done():
	}
}

func TestCallersContextIsNotTheUpstreamsTimeout(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	arrived := make(chan struct{}, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; wait(r, hold) })
	client := open(t, s.host(), s.spec(), nil)

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := client.GetManifest(ctx, s.image())
	if !errors.Is(err, context.Canceled) || oci.CodeOf(err) != oci.CodeInternal {
		t.Errorf("cancelled: got %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = client.GetManifest(ctx, s.image())
	if !errors.Is(err, context.DeadlineExceeded) || oci.CodeOf(err) != oci.CodeInternal {
		t.Errorf("deadline: got %v", err)
	}
}

func TestCallerThatLeavesDuringATokenRequestLeavesAlone(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s, _ := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		writeString(w, `{"token":"T1"}`)
	})
	client := open(t, s.host(), s.spec(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := client.GetManifest(ctx, s.image())
		left <- err
	}()
	<-arrived
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
	close(release)
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

func TestConnectionFaults(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	_ = listener.Close()
	client := open(t, host, upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: true}, nil)
	_, err = client.GetManifest(t.Context(), reference(host))
	wantCode(t, err, oci.CodeUpstream, "connect")

	registry, err := upstream.NewRegistry("registry.example.com", upstream.Spec{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	registry.SetResolver(&net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}})
	client = clientOf(registry, upstream.Config{})
	_, err = client.GetManifest(t.Context(), reference("registry.example.com"))
	wantCode(t, err, oci.CodeUpstream, "connect")
	_, err = client.GetManifest(t.Context(), reference("other.example.com"))
	wantCode(t, err, oci.CodeNotListed, "registry_not_listed")
	if got, want := wireMessage(err), "no Registry document named other.example.com"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestObserveSeesEveryRequest(t *testing.T) {
	s, _ := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) })
	var got []string
	client := openWith(t, s.host(), s.spec(), nil, upstream.Config{
		UserAgent: "test/1",
		Observe: func(registry string, status int, _ time.Duration) {
			got = append(got, fmt.Sprint(registry == s.host(), status))
		},
	})
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	if want := "[true 401 true 200 true 200]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	for _, entry := range s.take() {
		if entry.header.Get("User-Agent") != "test/1" || entry.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: got %v", entry.line, entry.header)
		}
	}
}
