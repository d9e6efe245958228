package clients_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// cutAfter is how much of a layer arrives before the connection breaks: less
// than half of any layer here, and more than what any reader holds back.
const cutAfter = 300_000

// cut says how a registry fails to send a layer. The zero value is that it does
// not.
type cut int

const (
	_ cut = iota
	// always: each answer is the whole layer and breaks at the same place, as
	// from a registry that knows no Range.
	always
	// once: the first answer breaks, what is asked for later is sent.
	once
)

// door stands before a registry and breaks connections.
type door struct {
	// host is "127.0.0.1:port".
	host string
	next http.Handler

	mu     sync.Mutex // guards what follows
	cuts   map[string]cut
	asked  map[string]int
	ranges map[string][]string
}

func newDoor(tb testing.TB, next http.Handler) *door {
	tb.Helper()
	d := &door{next: next, cuts: map[string]cut{}, asked: map[string]int{}, ranges: map[string][]string{}}
	server := httptest.NewServer(d)
	tb.Cleanup(server.Close)
	d.host = strings.TrimPrefix(server.URL, "http://")
	return d
}

// cut sets how the blob of that digest is sent from now on.
func (d *door) cut(digest string, how cut) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cuts[digest] = how
}

// resumed returns the Range headers of the requests for a blob, without those
// that had none.
func (d *door) resumed(digest string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ranges[digest]
}

// ServeHTTP implements [http.Handler].
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, digest, blob := strings.Cut(r.URL.Path, "/blobs/")
	if blob && r.Method == http.MethodGet {
		w = d.writer(w, r, digest)
	}
	d.next.ServeHTTP(w, r)
}

func (d *door) writer(w http.ResponseWriter, r *http.Request, digest string) http.ResponseWriter {
	d.mu.Lock()
	defer d.mu.Unlock()
	how := d.cuts[digest]
	d.asked[digest]++
	if asked := r.Header.Get("Range"); asked != "" {
		d.ranges[digest] = append(d.ranges[digest], asked)
	}
	switch {
	case how == always:
		r.Header.Del("Range")
		return &cutWriter{ResponseWriter: w, left: cutAfter, whole: true}
	case how == once && d.asked[digest] == 1:
		return &cutWriter{ResponseWriter: w, left: cutAfter}
	default:
		return w
	}
}

// cutWriter breaks the connection after so many bytes of a body.
type cutWriter struct {
	http.ResponseWriter
	left int
	// whole: the answer does not offer ranges.
	whole bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *cutWriter) WriteHeader(status int) {
	if w.whole {
		w.Header().Del("Accept-Ranges")
		w.Header().Del("ETag")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [io.Writer].
func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		n, err := w.ResponseWriter.Write(p)
		w.left -= n
		return n, err
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler) // net/http closes the connection without a word
}
