package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// lastTimeout is how long an endpoint that ends last may take for it: its pages
// are short, and by then nobody is left who would be served by waiting.
const lastTimeout = 5 * time.Second

// Serve answers until ctx ends or one server fails. When ctx ends, Draining is
// true, answers close their connections, and new connections are taken for the
// drain delay; then none is, running requests get the drain timeout, and what is
// left is cut off with a warning that counts it. Endpoints that are Last go
// through the same when the others have ended. It returns nil when ctx ended it.
// It is called once.
func (g *Group) Serve(ctx context.Context) error {
	// Requests outlive ctx by the time of the drain: its end is the wish to stop,
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
			if err := serve(servers[i], m); !errors.Is(err, http.ErrServerClosed) {
				failed(fmt.Errorf("serve %s: %w", m.Name, err))
			}
		})
		running.Go(func() { m.gate.refusals.serve(m.TLS) })
		if m.TLS != nil {
			running.Go(func() { m.TLS.follow(base, g.cfg.Log.With("server", m.Name)) })
		}
	}
	<-stop.Done()
	cause := context.Cause(stop)
	g.drain(ctx.Err() != nil)
	g.shutdown(base, servers, false, g.cfg.DrainTimeout)
	g.shutdown(base, servers, true, min(g.cfg.DrainTimeout, lastTimeout))
	for _, m := range g.members {
		m.gate.refusals.end()
	}
	cut()
	running.Wait()
	for _, m := range g.members {
		m.gate.refusals.discard()
	}
	if ctx.Err() == nil {
		return cause
	}
	return nil
}

func serve(s *http.Server, m *member) error {
	if m.TLS != nil {
		return s.ServeTLS(m.gate, "", "")
	}
	return s.Serve(m.gate)
}

// drain tells everybody that the end has come, and waits until they had the time
// to hear it. For a server that failed nobody waits.
func (g *Group) drain(asked bool) {
	g.draining.Store(true)
	delay := g.cfg.DrainDelay
	if !asked || delay < 0 {
		delay = 0
	}
	g.cfg.Log.Info("ending: connections are taken for the delay, then running requests are finished",
		"delay", delay.String(), "within", g.cfg.DrainTimeout.String())
	time.Sleep(delay)
}

// shutdown ends the servers that are Last, or those that are not, at the same
// time.
func (g *Group) shutdown(base context.Context, servers []*http.Server, last bool, within time.Duration) {
	ctx, cancel := context.WithTimeout(base, within)
	defer cancel()
	var ending sync.WaitGroup
	for i, m := range g.members {
		if m.Last != last {
			continue
		}
		ending.Go(func() {
			if err := servers[i].Shutdown(ctx); err != nil {
				left := m.gate.open()
				g.cfg.Log.Warn("running requests were cut off", "server", m.Name, "connections", left, "error", errors.Join(err, servers[i].Close()))
			}
		})
	}
	ending.Wait()
}
