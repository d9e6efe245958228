package faults_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vouchsafe/e2e/faults/history"
)

// repository is one repository's content.
type repository struct {
	docs  map[string]*document // by tag and by digest
	blobs map[string][]byte
	// artifacts are the digests of signature manifests and their payloads.
	artifacts map[string]bool
}

// registry is an upstream that does as it is told.
type registry struct {
	cell, addr string
	recorder   *recorder
	// user and password are demanded by Basic; with token that is demanded, given
	// out for them by the registry itself.
	user, password string
	token          atomic.Pointer[string]
	// realm is what the challenge names; empty is the registry's own /token.
	realm string
	// certificate is for TLS; nil is plain HTTP.
	certificate atomic.Pointer[tls.Certificate]

	mu       sync.Mutex // guards the following
	repos    map[string]*repository
	server   *http.Server
	listener net.Listener
	counts   map[string]int
	fault    atomic.Pointer[fault]
}

// moved is before the path of what a relative redirect leads to.
const moved = "/moved"

// recorder collects what arrives anywhere behind the gateway.
type recorder struct {
	mu sync.Mutex // guards the following
	// By cell; what concerns none of them is under the empty name.
	contacts map[string][]history.Contact
	canaries map[string][]history.Contact
}

func newRecorder() *recorder {
	return &recorder{contacts: map[string][]history.Contact{}, canaries: map[string][]history.Contact{}}
}

func (r *recorder) add(list map[string][]history.Contact, c history.Contact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list[c.Cell] = append(list[c.Cell], c)
}

// seen is the text of what a request carries, with Basic decoded.
func seen(r *http.Request) string {
	var b strings.Builder
	b.WriteString(r.URL.RawQuery)
	for name, values := range r.Header {
		fmt.Fprintf(&b, "\n%s: %s", name, strings.Join(values, ", "))
	}
	if basic, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); ok {
		plain, _ := base64.StdEncoding.DecodeString(basic)
		b.WriteString("\n" + string(plain))
	}
	return b.String()
}

// listen opens the registry's address. It may be called again after close.
func (g *registry) listen() error {
	var control net.ListenConfig
	ln, err := control.Listen(context.Background(), "tcp", g.addr)
	if err != nil {
		return err
	}
	if g.certificate.Load() != nil {
		ln = tls.NewListener(ln, &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return g.certificate.Load(), nil },
		})
	}
	server := &http.Server{Handler: g, ErrorLog: silent, ReadHeaderTimeout: time.Minute}
	g.mu.Lock()
	g.server, g.listener = server, ln
	g.mu.Unlock()
	go func() { _ = server.Serve(ln) }()
	return nil
}

// close refuses connections and breaks those that are open.
func (g *registry) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	// Also by itself: a server that has only begun does not know it yet.
	_ = g.listener.Close()
	_ = g.server.Close()
}

// setFault changes what goes wrong; nil ends it.
func (g *registry) setFault(f fault) {
	g.mu.Lock()
	g.counts = map[string]int{}
	g.mu.Unlock()
	if f == nil {
		g.fault.Store(nil)
		return
	}
	g.fault.Store(&f)
}

// repo returns a repository, made when it is new.
func (g *registry) repo(name string) *repository {
	if g.repos[name] == nil {
		g.repos[name] = &repository{docs: map[string]*document{}, blobs: map[string][]byte{}, artifacts: map[string]bool{}}
	}
	return g.repos[name]
}

// statusWriter keeps the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP implements [http.Handler].
func (g *registry) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &statusWriter{ResponseWriter: rw}
	contact := history.Contact{
		Cell: g.cell, At: time.Now(), Host: g.addr, Method: r.Method, Path: r.URL.EscapedPath(), Seen: seen(r),
	}
	// In a defer, since a fault may leave by a panic.
	defer func() {
		contact.Status = w.status
		g.recorder.add(g.recorder.contacts, contact)
	}()
	c := g.read(w, r)
	if f := g.fault.Load(); f != nil && (*f)(c) {
		return
	}
	c.answer()
}

// read makes a call of a request.
func (g *registry) read(w http.ResponseWriter, r *http.Request) *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &call{w: w, r: r, reg: g}
	if g.counts == nil {
		g.counts = map[string]int{}
	}
	path := strings.TrimPrefix(r.URL.Path, moved)
	g.counts[r.Method+path]++
	c.n = g.counts[r.Method+path]
	if path == "/token" {
		c.part = partToken
		return c
	}
	for _, kind := range []string{"manifests", "blobs", "referrers"} {
		before, after, ok := strings.Cut(strings.TrimPrefix(path, "/v2/"), "/"+kind+"/")
		if !ok {
			continue
		}
		c.repo, c.ref = before, after
		held := g.repos[before]
		if held == nil {
			held = &repository{}
		}
		switch kind {
		case "manifests":
			c.part, c.doc = partManifest, held.docs[after]
			if held.artifacts[after] || strings.HasPrefix(after, "sha256-") && (c.doc == nil || held.artifacts[c.doc.digest]) {
				c.part = partEvidence
			}
		case "blobs":
			c.part, c.blob = partBlob, held.blobs[after]
			if held.artifacts[after] {
				c.part = partPayload
			}
		default:
			c.part = partEvidence
		}
	}
	return c
}
