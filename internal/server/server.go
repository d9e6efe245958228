// Package server runs the program's HTTP servers: listeners that are open before
// anything is said to be ready, bounds on what a connection may cost, TLS whose
// certificate may be replaced, an end that loses no request, and the pages for
// those who operate it.
//
// Trust: every client is untrusted. A header has 10 s and 64 KiB, a TLS handshake
// 10 s, a request's body 10 s, an idle connection two minutes, and the
// connections of an endpoint are counted, over all and per address. Nothing
// bounds how long an answer takes: that is for the handler, which knows a blob
// from a page.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Endpoint is one address and what answers there.
type Endpoint struct {
	// Name is for logs and errors, such as "registry".
	Name string
	// Addr is a host and port; ":5000" is IPv4 and IPv6.
	Addr string
	// Handler answers.
	Handler http.Handler
	// TLS is the certificate that is shown; nil means plain HTTP. HTTP/2 is
	// spoken over TLS alone.
	TLS *Certificate
	// MaxConnections bounds the open connections; zero means no bound. The
	// connection that was idle longest is closed for one more; when none is
	// idle, one more is answered 503.
	MaxConnections int
	// MaxConnectionsPerAddress bounds those of one IPv4 address or one IPv6
	// network of 64 bits, in the same way, with 429; zero means no bound.
	MaxConnectionsPerAddress int
	// Last is true for an endpoint that answers until the others have ended.
	Last bool
}

// Config configures a Group. The zero value is usable.
type Config struct {
	// DrainDelay is how long connections are still taken after the end was asked
	// for, so that whoever balances load sees in time that we are leaving. Zero
	// means not at all.
	DrainDelay time.Duration
	// DrainTimeout is how long running requests may go on after that; zero means
	// 30 s.
	DrainTimeout time.Duration
	// ReadHeaderTimeout bounds a TLS handshake, and from then on the header of a
	// request; zero means 10 s.
	ReadHeaderTimeout time.Duration
	// BodyTimeout bounds the body of a request; zero means 10 s.
	BodyTimeout time.Duration
	// IdleTimeout bounds the wait for the next request; zero means 2 min.
	IdleTimeout time.Duration
	// Opened is told by how many the open connections of an endpoint changed;
	// nil means not observed.
	Opened func(endpoint string, delta int)
	// Refused is told why a connection beyond a bound was refused, "total" or
	// "address"; nil means not observed.
	Refused func(endpoint, reason string)
	// Log receives what the servers have to say; nil means discarded.
	Log *slog.Logger
}

// Bounds when nothing else is said.
const (
	defaultDrainTimeout      = 30 * time.Second
	defaultReadHeaderTimeout = 10 * time.Second
	defaultBodyTimeout       = 10 * time.Second
	defaultIdleTimeout       = 2 * time.Minute
)

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value   *time.Duration
		instead time.Duration
	}{
		{&c.DrainTimeout, defaultDrainTimeout},
		{&c.ReadHeaderTimeout, defaultReadHeaderTimeout},
		{&c.BodyTimeout, defaultBodyTimeout},
		{&c.IdleTimeout, defaultIdleTimeout},
	} {
		if *d.value <= 0 {
			*d.value = d.instead
		}
	}
	if c.Opened == nil {
		c.Opened = func(string, int) {}
	}
	if c.Refused == nil {
		c.Refused = func(string, string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Group is several servers with one life. Its listeners are open; requests wait
// until Serve.
type Group struct {
	cfg      Config
	members  []*member
	draining atomic.Bool
}

// member is an endpoint with its open listener.
type member struct {
	Endpoint
	gate *gate
}

// Listen reads the certificates and opens the listeners of all endpoints, or
// none of them. The error names the endpoint and its address or file.
func Listen(ctx context.Context, cfg Config, endpoints ...Endpoint) (*Group, error) {
	g := &Group{cfg: cfg.withDefaults()}
	for _, e := range endpoints {
		if err := g.open(ctx, e); err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", e.Name, err), g.Close())
		}
	}
	return g, nil
}

func (g *Group) open(ctx context.Context, e Endpoint) error {
	if e.TLS != nil {
		if err := e.TLS.load(); err != nil {
			return err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", e.Addr)
	if err != nil {
		return err
	}
	g.members = append(g.members, &member{Endpoint: e, gate: newGate(listener, e, g.cfg)})
	return nil
}

// Addr returns where the endpoint called name listens, nil when there is none.
func (g *Group) Addr(name string) net.Addr {
	for _, m := range g.members {
		if m.Name == name {
			return m.gate.Addr()
		}
	}
	return nil
}

// Draining reports whether the end was asked for: clients should go elsewhere.
func (g *Group) Draining() bool { return g.draining.Load() }

// Close closes the listeners of a group that never served.
func (g *Group) Close() error {
	var errs []error
	for _, m := range g.members {
		if err := m.gate.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("close %s: %w", m.Name, err))
		}
	}
	return errors.Join(errs...)
}
