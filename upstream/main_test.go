package upstream_test

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestMain(m *testing.M) {
	// net/http tells there what the servers of these tests do wrong on purpose.
	log.SetOutput(io.Discard)
	goleak.VerifyTestMain(m)
}

// seen is one request at a test server's door.
type seen struct {
	line          string
	authorization string
	header        http.Header
	form          string
}

// server is a real HTTP server that writes down who asks.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []seen
}

// serve starts a server for the length of the test.
func serve(t *testing.T, handle http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(s.recording(handle))
	t.Cleanup(s.Close)
	return s
}

// serveTLS is serve with TLS; its certificate is in pem.
func serveTLS(t *testing.T, handle http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewTLSServer(s.recording(handle))
	t.Cleanup(s.Close)
	return s
}

func (s *server) recording(handle http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := seen{line: r.Method + " " + r.URL.RequestURI(), authorization: r.Header.Get("Authorization"), header: r.Header.Clone()}
		if r.Method == http.MethodPost {
			_ = r.ParseForm()
			entry.form = r.PostForm.Encode()
		}
		s.mu.Lock()
		s.asked = append(s.asked, entry)
		s.mu.Unlock()
		handle(w, r)
	})
}

// take returns the requests since the last take.
func (s *server) take() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// lines returns the request lines since the last take.
func (s *server) lines() []string {
	var lines []string
	for _, entry := range s.take() {
		lines = append(lines, entry.line)
	}
	return lines
}

// host is the server's host:port, which is its registry's name too.
func (s *server) host() string { return strings.SplitN(s.URL, "://", 2)[1] }

// spec is a document for the server: private addresses allowed, short times.
func (s *server) spec() upstream.Spec {
	return upstream.Spec{
		Endpoint: s.URL, PlainHTTP: strings.HasPrefix(s.URL, "http:"), AllowPrivateAddresses: true,
	}
}

// files serves a document's files from a map.
func files(content map[string]string) upstream.Files {
	return func(name string) ([]byte, error) { return []byte(content[name]), nil }
}

// open makes a client for one registry called name.
func open(t *testing.T, name string, spec upstream.Spec, read upstream.Files) *upstream.Client {
	t.Helper()
	return openWith(t, name, spec, read, upstream.Config{})
}

func openWith(t *testing.T, name string, spec upstream.Spec, read upstream.Files, cfg upstream.Config) *upstream.Client {
	t.Helper()
	registry, err := upstream.NewRegistry(name, spec, read)
	if err != nil {
		t.Fatalf("NewRegistry: %v", err)
	}
	t.Cleanup(registry.Close)
	return clientOf(registry, cfg)
}

// clientOf makes a client that does not pause, unless cfg says how.
func clientOf(registry *upstream.Registry, cfg upstream.Config) *upstream.Client {
	if cfg.Sleep == nil {
		cfg.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	return upstream.New(func(asked string) (*upstream.Registry, bool) {
		return registry, asked == registry.Name()
	}, cfg)
}

// image is "acme/api:1" at the server.
func (s *server) image() oci.Reference {
	return oci.Reference{Repository: s.repository(), Tag: "1"}
}

func (s *server) repository() oci.Repository {
	return oci.Repository{Registry: s.host(), Path: "acme/api"}
}

// wantCode fails unless err has code and reason.
func wantCode(t *testing.T, err error, code oci.Code, reason string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %v %q", code, reason)
	}
	if got := oci.CodeOf(err); got != code {
		t.Fatalf("got code %v, want %v: %v", got, code, err)
	}
	if got := upstream.ReasonOf(err); got != reason {
		t.Fatalf("got reason %q, want %q: %v", got, reason, err)
	}
}

func ptr[T any](v T) *T { return &v }

func short(d time.Duration) *upstream.Duration { return ptr(upstream.Duration(d)) }

func writeString(w http.ResponseWriter, s string) { _, _ = w.Write([]byte(s)) }

// certificate is the PEM of a TLS server's own certificate.
func (s *server) certificate() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// contextWith ends after d.
func contextWith(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// endlessHeader sends header lines until nobody takes them.
func endlessHeader(w http.ResponseWriter, _ *http.Request) {
	conn, out, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_, _ = out.WriteString("HTTP/1.1 200 OK\r\n")
	for i := 0; i < 1<<20; i++ {
		if _, err := out.WriteString("X-Filler: yes\r\n"); err != nil {
			return
		}
	}
}
