package lab

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// RegistryConfig configures a Registry. The zero value is a registry without
// access control and without the referrers API.
type RegistryConfig struct {
	// Referrers gives the registry the referrers API.
	Referrers bool
	// Addr is where it listens; empty means 127.0.0.1:0.
	Addr string
	// Wrap is put between the listener and the registry, such as access control
	// or a fault; what it is asked is counted. Nil means nothing.
	Wrap func(http.Handler) http.Handler
}

// Registry is a registry on loopback that counts who asks for what. It is safe
// for concurrent use.
type Registry struct {
	store     *store
	referrers bool
	host      string
	server    *http.Server
	stopped   chan struct{}

	mu       sync.Mutex // guards requests
	requests []string

	// updating is held while a manifest is read, extended and written back.
	updating sync.Mutex
}

// NewRegistry starts a registry. ctx bounds the start alone; Close ends it.
func NewRegistry(ctx context.Context, cfg RegistryConfig) (*Registry, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("start registry: %w", err)
	}
	quiet := log.New(io.Discard, "", 0)
	r := &Registry{
		store: newStore(registry.New(
			registry.Logger(quiet), registry.WithReferrersSupport(cfg.Referrers))),
		referrers: cfg.Referrers,
		host:      listener.Addr().String(),
		stopped:   make(chan struct{}),
	}
	var handler http.Handler = r.store
	if cfg.Wrap != nil {
		handler = cfg.Wrap(handler)
	}
	r.server = &http.Server{Handler: r.count(handler), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}
	go func() {
		defer close(r.stopped)
		// It always ends with an error: that Close was called.
		_ = r.server.Serve(listener)
	}()
	return r, nil
}

// Host returns "127.0.0.1:port".
func (r *Registry) Host() string { return r.host }

// Close stops it and cuts every connection.
func (r *Registry) Close() {
	// The error is that of closing a listener: nothing is left to do about it.
	_ = r.server.Close()
	<-r.stopped
}

// Requests returns each request since the last Reset as "METHOD /path?query" in
// the order of arrival, tokens and pings included, pushes by the lab itself left
// out.
func (r *Registry) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Reset forgets the requests.
func (r *Registry) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}

func (r *Registry) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.URL.RequestURI())
		r.mu.Unlock()
		next.ServeHTTP(w, req)
	})
}
