package upstream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

// clock is a time that goes on only while somebody pauses.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// config pauses by the clock, without chance.
func (c *clock) config() upstream.Config {
	return upstream.Config{
		Now: c.now, Rand: func() float64 { return 0 },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.at = c.at.Add(d)
			if d > 0 {
				c.slept = append(c.slept, d)
			}
			return ctx.Err()
		},
	}
}

// takeSlept returns the pauses since the last call.
func (c *clock) takeSlept() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	slept := c.slept
	c.slept = nil
	return slept
}

// script answers the n-th request with the n-th handler, then with the last.
func script(handlers ...http.HandlerFunc) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		at := int(asked.Add(1)) - 1
		handlers[min(at, len(handlers)-1)](w, r)
	}
}

// reset ends the connection without an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func TestRetries(t *testing.T) {
	ok := status(200, "{}")
	for _, row := range []struct {
		name     string
		handlers []http.HandlerFunc
		requests int
		slept    []time.Duration
		code     oci.Code
		reason   string
	}{
		{"nothing is wrong", []http.HandlerFunc{ok}, 1, nil, 0, ""},
		{"500 once", []http.HandlerFunc{status(500, ""), ok}, 2, []time.Duration{100 * time.Millisecond}, 0, ""},
		{"502 and 504", []http.HandlerFunc{status(502, ""), status(504, "x"), ok}, 3, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, 0, ""},
		{"503 without Retry-After", []http.HandlerFunc{status(503, ""), ok}, 2, []time.Duration{100 * time.Millisecond}, 0, ""},
		{"503 for ever", []http.HandlerFunc{status(503, "")}, 3, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, oci.CodeUpstream, "status"},
		{"a reset", []http.HandlerFunc{reset, ok}, 2, []time.Duration{100 * time.Millisecond}, 0, ""},
		{"a closed connection", []http.HandlerFunc{raw(""), ok}, 2, []time.Duration{100 * time.Millisecond}, 0, ""},
		{"a header that is cut", []http.HandlerFunc{raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), ok}, 2, []time.Duration{100 * time.Millisecond}, 0, ""},
		{"resets for ever", []http.HandlerFunc{reset}, 3, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, oci.CodeUpstream, "header"},
		{"404 is an answer", []http.HandlerFunc{status(404, ""), ok}, 1, nil, oci.CodeManifestUnknown, ""},
		{"501 is an answer", []http.HandlerFunc{status(501, ""), ok}, 1, nil, oci.CodeUpstream, "status"},
		{"no HTTP stays none", []http.HandlerFunc{raw("SSH-2.0-OpenSSH\r\n"), ok}, 1, nil, oci.CodeUpstream, "bad_answer"},
		{"a body that is cut has had its answer", []http.HandlerFunc{raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), ok}, 1, nil, oci.CodeUpstream, "interrupted"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, script(row.handlers...))
			c := newClock()
			cfg := c.config()
			retried := 0
			cfg.Retried = func(name string) {
				retried++
				if name != s.host() {
					t.Errorf("retried %q", name)
				}
			}
			observed := 0
			cfg.Observe = func(string, int, time.Duration) { observed++ }
			_, err := openWith(t, s.host(), s.spec(), nil, cfg).GetManifest(t.Context(), s.image())
			if row.code != 0 {
				wantCode(t, err, row.code, row.reason)
			} else if err != nil {
				t.Fatal(err)
			}
			if got := len(s.take()); got != row.requests || observed != row.requests || retried != row.requests-1 {
				t.Errorf("got %d requests, %d observed, %d retries, want %d", got, observed, retried, row.requests)
			}
			if diff := cmp.Diff(row.slept, c.takeSlept()); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetriesForEveryOperation(t *testing.T) {
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			s := serve(t, script(status(503, ""), reset, good))
			if err := ask(t.Context(), open(t, s.host(), s.spec(), nil), s); err != nil {
				t.Error(err)
			}
			if got := len(s.take()); got != 3 {
				t.Errorf("got %d requests, want 3", got)
			}
		})
	}
}

func TestRetriesAreSharedByTheHopsOfARequest(t *testing.T) {
	elsewhere := serve(t, status(500, ""))
	s := serve(t, script(status(500, ""), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	spec := s.spec()
	spec.RedirectHosts = []string{elsewhere.host()}
	_, err := open(t, s.host(), spec, nil).GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "status")
	if here, there := len(s.take()), len(elsewhere.take()); here != 2 || there != 2 {
		t.Errorf("got %d and %d requests, want 2 and 2", here, there)
	}
}

func TestTokenRequestsAreTriedAgainButNeverAForm(t *testing.T) {
	for _, form := range []bool{false, true} {
		s, _ := tokenServer(t, script(status(500, ""), func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) }))
		spec, read := s.spec(), upstream.Files(nil)
		if form {
			spec = s.withPassword()
			spec.Credentials = &upstream.CredentialsSpec{DockerConfigFile: "config.json"}
			read = files(map[string]string{"config.json": fmt.Sprintf(`{"auths":{%q:{"identitytoken":"x"}}}`, s.host())})
		}
		_, err := open(t, s.host(), spec, read).GetManifest(t.Context(), s.image())
		if form {
			wantCode(t, err, oci.CodeUpstream, "status")
			if got := s.lines(); !slices.Equal(got, []string{getOne, "POST /token"}) {
				t.Errorf("got %v", got)
			}
		} else if err != nil {
			t.Error(err)
		}
	}
}

func TestNoRetryWithoutTime(t *testing.T) {
	s := serve(t, status(500, ""))
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err := open(t, s.host(), s.spec(), nil).GetManifest(ctx, s.image())
	wantCode(t, err, oci.CodeUpstream, "status")
	if got := len(s.take()); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

func TestWhatIsNotTriedAgain(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	count := func(t *testing.T, name string, spec upstream.Spec, read upstream.Files) (int, error) {
		t.Helper()
		n := 0
		client := openWith(t, name, spec, read, upstream.Config{Observe: func(string, int, time.Duration) { n++ }})
		_, err := client.GetManifest(t.Context(), reference(name))
		return n, err
	}
	t.Run("a registry that hangs", func(t *testing.T) {
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) { wait(r, hold) })
		spec := s.spec()
		spec.Timeouts = &upstream.TimeoutsSpec{Header: short(50 * time.Millisecond)}
		n, err := count(t, s.host(), spec, nil)
		wantCode(t, err, oci.CodeTimeout, "header")
		if n != 1 {
			t.Errorf("got %d requests", n)
		}
	})
	t.Run("an address that is refused", func(t *testing.T) {
		s := serve(t, good)
		spec := s.spec()
		spec.AllowPrivateAddresses = false
		n, err := count(t, s.host(), spec, nil)
		wantCode(t, err, oci.CodeUpstream, "address_refused")
		if n != 1 {
			t.Errorf("got %d requests", n)
		}
	})
	t.Run("a certificate that nobody trusts", func(t *testing.T) {
		s := serveTLS(t, good)
		n, err := count(t, s.host(), s.spec(), nil)
		wantCode(t, err, oci.CodeUpstream, "connect")
		if n != 1 {
			t.Errorf("got %d requests", n)
		}
	})
	t.Run("a header that is too large", func(t *testing.T) {
		s := serve(t, endlessHeader)
		n, err := count(t, s.host(), s.spec(), nil)
		wantCode(t, err, oci.CodeUpstream, "header_too_large")
		if n != 1 {
			t.Errorf("got %d requests", n)
		}
	})
	t.Run("a caller who left", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { cancel(); status(500, "")(w, r) })
		_, err := open(t, s.host(), s.spec(), nil).GetManifest(ctx, s.image())
		if err == nil || len(s.take()) != 1 {
			t.Errorf("got %v", err)
		}
	})
}

func TestCallerWhoLeavesInAPauseIsNotTheUpstreamsFault(t *testing.T) {
	s := serve(t, status(500, ""))
	ctx, cancel := context.WithCancel(t.Context())
	client := openWith(t, s.host(), s.spec(), nil, upstream.Config{Sleep: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}})
	_, err := client.GetManifest(ctx, s.image())
	if !errors.Is(err, context.Canceled) || oci.CodeOf(err) != oci.CodeInternal {
		t.Errorf("got %v, want a cancelled context", err)
	}
}

func TestOwnPauses(t *testing.T) {
	// The real pause and the real chance, once.
	s := serve(t, script(status(500, ""), good))
	registry, err := upstream.NewRegistry(s.host(), s.spec(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	client := upstream.New(func(string) (*upstream.Registry, bool) { return registry, true }, upstream.Config{})
	start := time.Now()
	if _, err := client.GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("took %v, want a pause of at least 100 ms", took)
	}
}

// brokenHTTP2 is an HTTP/2 server that ends each connection when it gets a
// request, behind a GOAWAY or without.
func brokenHTTP2(t *testing.T, goAway bool) (host string, requests *atomic.Int64, ca string) {
	t.Helper()
	lender := serveTLS(t, good)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: lender.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	done := make(chan struct{})
	t.Cleanup(func() { _ = listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
			framer := http2.NewFramer(conn, conn)
			_ = framer.WriteSettings()
			for {
				frame, err := framer.ReadFrame()
				if err != nil {
					break
				}
				if headers, ok := frame.(*http2.HeadersFrame); ok {
					requests.Add(1)
					if goAway {
						_ = framer.WriteGoAway(headers.StreamID, http2.ErrCodeInternal, nil)
					}
					break
				}
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String(), requests, lender.certificate()
}

func TestLostHTTP2ConnectionsAreTriedAgain(t *testing.T) {
	for _, goAway := range []bool{false, true} {
		t.Run(fmt.Sprintf("GOAWAY %v", goAway), func(t *testing.T) {
			host, requests, ca := brokenHTTP2(t, goAway)
			spec := upstream.Spec{AllowPrivateAddresses: true, CAFile: "ca.pem"}
			retried := 0
			client := openWith(t, host, spec, files(map[string]string{"ca.pem": ca}), upstream.Config{Retried: func(string) { retried++ }})
			_, err := client.GetManifest(t.Context(), reference(host))
			wantCode(t, err, oci.CodeUpstream, "header")
			if got := requests.Load(); got < 3 || retried != 2 {
				t.Errorf("got %d requests, %d retries: %v", got, retried, err)
			}
		})
	}
}
