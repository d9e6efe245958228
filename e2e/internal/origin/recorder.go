// Package origin serves the registries that stand behind the gateway, each of
// which writes down who asked it for what: distribution, with and without token
// authentication, and a registry that has the referrers API.
package origin

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Request is one request as a registry saw it.
type Request struct {
	Method, Path string
	// UserAgent tells the gateway from a client that went round it.
	UserAgent string
	// Authorized reports whether any credential came with it.
	Authorized bool
}

// String prints the request on one line, for messages.
func (r Request) String() string {
	return fmt.Sprintf("%s %s (%s)", r.Method, r.Path, r.UserAgent)
}

// Recorder is a handler that keeps each request that passes. It is safe for
// concurrent use.
type Recorder struct {
	next http.Handler

	mu       sync.Mutex // guards requests
	requests []Request
}

// ServeHTTP implements [http.Handler]. A request is kept before it is answered:
// whoever has an answer finds the request in the record.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, Request{
		Method:     request.Method,
		Path:       request.URL.Path,
		UserAgent:  request.UserAgent(),
		Authorized: request.Header.Get("Authorization") != "",
	})
	r.mu.Unlock()
	r.next.ServeHTTP(w, request)
}

// Requests returns the requests since the last Reset whose path contains part.
func (r *Recorder) Requests(part string) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Request
	for _, request := range r.requests {
		if strings.Contains(request.Path, part) {
			found = append(found, request)
		}
	}
	return found
}

// Reset forgets the requests so far, those of pushing and signing.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}
