package kube_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/kube"
	"vouchsafe/oci"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// request is what a test server saw.
type request struct {
	line, contentType, agent, authorization, body string
}

// server is an API server of a few handlers over real HTTP, which keeps what it
// was asked.
type server struct {
	*httptest.Server
	mux *http.ServeMux

	mu   sync.Mutex
	seen []request
}

func newServer(t testing.TB) *server {
	s := &server{mux: http.NewServeMux()}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		s.seen = append(s.seen, request{
			r.Method + " " + r.URL.RequestURI(), r.Header.Get("Content-Type"), r.UserAgent(), r.Header.Get("Authorization"), string(body),
		})
		s.mu.Unlock()
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// taken returns the requests so far and forgets them.
func (s *server) taken() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.seen
	s.seen = nil
	return all
}

// lines are the request lines of requests that begin with prefix.
func lines(all []request, prefix string) (found []string) {
	for _, r := range all {
		if strings.HasPrefix(r.line, prefix) {
			found = append(found, r.line)
		}
	}
	return found
}

// client returns a client that finds the server as a user does, by KUBECONFIG.
func (s *server) client(t testing.TB) *kube.Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	check(t, os.WriteFile(file, []byte(fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, s.URL, base64.StdEncoding.EncodeToString(ca))), 0o600))
	c, err := kube.NewClient(kube.ClientConfig{UserAgent: "vouchsafe/test", Getenv: func(name string) string {
		if name == "KUBECONFIG" {
			return file
		}
		return ""
	}})
	check(t, err)
	return c
}

// answer writes v, or a Status for an error code.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if text, ok := v.(string); ok {
		v = map[string]any{"kind": "Status", "message": text, "code": code}
	}
	_ = json.NewEncoder(w).Encode(v)
}

// serveSecret keeps one Secret as an API server does: writes compete by version.
func (s *server) serveSecret(namespace, name string) *secretAt {
	at := &secretAt{}
	path := "/api/v1/namespaces/" + namespace + "/secrets"
	s.mux.HandleFunc("GET "+path+"/"+name, func(w http.ResponseWriter, _ *http.Request) { at.get(w) })
	s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { at.write(w, r, true) })
	s.mux.HandleFunc("PATCH "+path+"/"+name, func(w http.ResponseWriter, r *http.Request) { at.write(w, r, false) })
	return at
}

type secretAt struct {
	mu      sync.Mutex
	version int
	data    map[string][]byte
}

type secretBody struct {
	Metadata struct {
		Name            string            `json:"name"`
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels"`
	} `json:"metadata"`
	Data map[string][]byte `json:"data"`
}

func (a *secretAt) get(w http.ResponseWriter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.version == 0 {
		answer(w, http.StatusNotFound, "no such secret")
		return
	}
	var b secretBody
	b.Metadata.ResourceVersion, b.Data = fmt.Sprint(a.version), a.data
	answer(w, http.StatusOK, b)
}

func (a *secretAt) write(w http.ResponseWriter, r *http.Request, create bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b secretBody
	switch err := json.NewDecoder(r.Body).Decode(&b); {
	case err != nil:
		answer(w, http.StatusBadRequest, err.Error())
	case create && a.version != 0:
		answer(w, http.StatusConflict, "already exists")
	case !create && b.Metadata.ResourceVersion != fmt.Sprint(a.version):
		answer(w, http.StatusConflict, "the object has been modified")
	default:
		a.version++
		if a.data == nil {
			a.data = map[string][]byte{}
		}
		for k, v := range b.Data {
			a.data[k] = v
		}
		answer(w, http.StatusOK, b)
	}
}

// logLines is a log in memory.
type logLines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

func newLog(to *logLines) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

// eventually waits for what real HTTP brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// start runs something until the end of the test.
func start(t testing.TB, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

func digest(seed string) oci.Digest { return oci.SHA256([]byte(seed)) }

// origin reads names as the gateway does for tests: PULL_HOST is gate.test:5000.
func origin(image string) (oci.Reference, error) {
	path, below := strings.CutPrefix(image, "gate.test:5000/")
	if !below {
		return oci.ParseReference(image)
	}
	ref, err := oci.ParseReference(path)
	return ref, err
}
