package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// document is a manifest with the Content-Type that it is served with, "" for
// none.
type document struct {
	body        []byte
	contentType string
}

// repository is what one repository of the origin holds. It does not change
// once the origin serves it.
type repository struct {
	// manifests are found by tag or digest, blobs by digest.
	manifests map[string]document
	blobs     map[string][]byte
	// referrers answers the referrers API; nil means that there is none.
	referrers http.HandlerFunc
}

func newRepository() *repository {
	return &repository{manifests: map[string]document{}, blobs: map[string][]byte{}}
}

// manifest keeps a manifest under its digest and under tag, if there is one,
// and returns the digest.
func (r *repository) manifest(tag string, d document) string {
	digest := sha(d.body)
	r.manifests[digest] = d
	if tag != "" {
		r.manifests[tag] = d
	}
	return digest
}

// blob keeps a blob and returns its digest.
func (r *repository) blob(body []byte) string {
	digest := sha(body)
	r.blobs[digest] = body
	return digest
}

// sha returns the sha256 digest of b.
func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// origin serves the repositories by name and returns its "host:port".
func origin(tb testing.TB, repositories map[string]*repository) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, reference := cutLast(strings.TrimPrefix(r.URL.Path, "/v2/"))
		name, verb := cutLast(rest)
		repository := repositories[name]
		if repository == nil {
			http.NotFound(w, r)
			return
		}
		repository.serve(w, r, verb, reference)
	}))
	tb.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func cutLast(s string) (before, behind string) {
	at := strings.LastIndexByte(s, '/')
	if at < 0 {
		return "", s
	}
	return s[:at], s[at+1:]
}

func (r *repository) serve(w http.ResponseWriter, request *http.Request, verb, reference string) {
	switch verb {
	case "manifests":
		if d, known := r.manifests[reference]; known {
			answer(w, d)
			return
		}
	case "blobs":
		if body, known := r.blobs[reference]; known {
			answer(w, document{body: body, contentType: "application/octet-stream"})
			return
		}
	case "referrers":
		if r.referrers != nil {
			r.referrers(w, request)
			return
		}
	}
	http.NotFound(w, request)
}

// answer writes a document as it is. Without a Content-Type the server of the
// standard library would guess one.
func answer(w http.ResponseWriter, d document) {
	w.Header()["Content-Type"] = nil
	if d.contentType != "" {
		w.Header().Set("Content-Type", d.contentType)
	}
	_, _ = w.Write(d.body)
}
