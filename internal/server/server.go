// Package server runs the program's HTTP servers: listeners that are open before
// anything is said to be ready, bounds on what a connection may cost, a clean
// end, and the pages for those who operate it.
//
// Trust: every client is untrusted. A header has 10 s and 64 KiB, a request's
// body 10 s, an idle connection two minutes. Nothing bounds how long an answer
// takes: that is for the handler, which knows a blob from a page.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of every connection.
const (
	readHeaderTimeout = 10 * time.Second
	bodyTimeout       = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Endpoint is one address and what answers there.
type Endpoint struct {
	// Name is for logs and errors, such as "registry".
	Name string
	// Addr is a host and port; ":5000" is IPv4 and IPv6.
	Addr string
	// Handler answers.
	Handler http.Handler
}

// Config configures a Group. The zero value is usable.
type Config struct {
	// ShutdownTimeout is how long running requests may go on after the end was
	// asked for; zero means 30 s.
	ShutdownTimeout time.Duration
	// Log receives what the servers have to say; nil means discarded.
	Log *slog.Logger
}

// Group is several servers with one life. Its listeners are open; requests wait
// until Serve.
type Group struct {
	cfg     Config
	members []*member
}

// member is an endpoint with its open listener.
type member struct {
	Endpoint
	listener net.Listener
}

// Listen opens the listeners of all endpoints, or none of them. An address that
// is taken is an error that names the endpoint.
func Listen(ctx context.Context, cfg Config, endpoints ...Endpoint) (*Group, error) {
	if cfg.ShutdownTimeout <= 0 {
		cfg.ShutdownTimeout = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	g := &Group{cfg: cfg}
	for _, e := range endpoints {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", e.Addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", e.Name, err), g.Close())
		}
		g.members = append(g.members, &member{Endpoint: e, listener: listener})
	}
	return g, nil
}

// Addr returns where the endpoint called name listens, nil when there is none.
func (g *Group) Addr(name string) net.Addr {
	for _, m := range g.members {
		if m.Name == name {
			return m.listener.Addr()
		}
	}
	return nil
}

// Close closes the listeners of a group that never served.
func (g *Group) Close() error {
	var errs []error
	for _, m := range g.members {
		if err := m.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("close %s: %w", m.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Serve answers until ctx ends or one server fails; then no new connection is
// taken, running requests get the shutdown time, and what is left is cut off with
// a warning in the log. It returns nil when ctx ended it. It is called once.
func (g *Group) Serve(ctx context.Context) error {
	// Requests outlive ctx by the shutdown time: its end is the wish to stop,
	// not their end.
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	servers := make([]*http.Server, len(g.members))
	var running sync.WaitGroup
	for i, m := range g.members {
		servers[i] = g.server(base, m)
		running.Go(func() {
			if err := servers[i].Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
				failed(fmt.Errorf("serve %s: %w", m.Name, err))
			}
		})
	}
	<-stop.Done()
	cause := context.Cause(stop)
	g.cfg.Log.Info("ending: running requests are finished", "within", g.cfg.ShutdownTimeout.String())
	g.shutdown(base, servers)
	cut()
	running.Wait()
	if ctx.Err() == nil {
		return cause
	}
	return nil
}

// shutdown ends all servers at the same time.
func (g *Group) shutdown(ctx context.Context, servers []*http.Server) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.ShutdownTimeout)
	defer cancel()
	var ending sync.WaitGroup
	for i, s := range servers {
		ending.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				g.cfg.Log.Warn("running requests were cut off", "server", g.members[i].Name, "error", errors.Join(err, s.Close()))
			}
		})
	}
	ending.Wait()
}

func (g *Group) server(base context.Context, m *member) *http.Server {
	return &http.Server{
		Handler:           bounded(m.Handler),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		// The standard library speaks up about handlers that panicked and clients
		// that do not speak HTTP.
		ErrorLog: slog.NewLogLogger(g.cfg.Log.With("server", m.Name).Handler(), slog.LevelWarn),
	}
}

// bounded gives the body of a request its deadline: nothing here wants one, and
// a client that never ends it must not hold a connection. Requests without a
// body have none, since a deadline would end the context of a long answer.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
