package lab

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"vouchsafe/oci"
)

// store is go-containerregistry's registry without two habits that no real
// registry has: it refuses open-ended ranges, and it refuses to be handed a
// malformed index, which is just what a hostile registry would serve.
type store struct {
	inner http.Handler

	mu sync.Mutex // guards forced
	// forced holds manifests that inner refused, by the path of the request.
	forced map[string]answer
}

// answer is an HTTP answer in memory, and the writer that fills it.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(status int)      { a.status = status }

func newStore(inner http.Handler) *store {
	return &store{inner: inner, forced: map[string]answer{}}
}

// do asks inner in memory, past the listener and its counter.
func (s *store) do(req *http.Request) *answer {
	a := &answer{status: http.StatusOK, header: http.Header{}}
	s.inner.ServeHTTP(a, req)
	return a
}

// force makes body the answer to path.
func (s *store) force(path, mediaType string, body []byte) {
	a := answer{status: http.StatusOK, header: http.Header{
		"Content-Type":          {mediaType},
		"Content-Length":        {strconv.Itoa(len(body))},
		"Docker-Content-Digest": {oci.SHA256(body).String()},
	}}
	a.body.Write(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forced[path] = a
}

// ServeHTTP implements [http.Handler].
func (s *store) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	reading := req.Method == http.MethodGet || req.Method == http.MethodHead
	s.mu.Lock()
	forced, found := s.forced[req.URL.Path]
	if found && !reading {
		delete(s.forced, req.URL.Path)
	}
	s.mu.Unlock()
	switch {
	case found && reading:
		forced.send(w, req)
	case req.Method == http.MethodGet && req.Header.Get("Range") != "" && strings.Contains(req.URL.Path, "/blobs/"):
		s.serveRange(w, req)
	default:
		s.inner.ServeHTTP(w, req)
	}
}

func (s *store) serveRange(w http.ResponseWriter, req *http.Request) {
	whole := req.Clone(req.Context())
	whole.Header.Del("Range")
	a := s.do(whole)
	if a.status != http.StatusOK {
		a.send(w, req)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", a.header.Get("Docker-Content-Digest"))
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(a.body.Bytes()))
}

func (a *answer) send(w http.ResponseWriter, req *http.Request) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	if req.Method != http.MethodHead {
		// A client that went away is no concern of the registry.
		_, _ = bytes.NewReader(a.body.Bytes()).WriteTo(w)
	}
}
