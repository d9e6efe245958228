package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vouchsafe/config"
	"vouchsafe/internal/server"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// demoGateway is the stack of `serve` over the demo's world, on loopback.
type demoGateway struct {
	stack    *stack
	snapshot *config.Snapshot
	records  *records
	// gateway and ops are base URLs.
	gateway, ops string
	stop         context.CancelFunc
	ended        chan struct{}
}

// newDemoGateway starts serving. All settings have their defaults, whatever the
// environment says.
func newDemoGateway(ctx context.Context, w *world) (*demoGateway, error) {
	settings, err := config.LoadSettings(nil, nil)
	if err != nil {
		return nil, err
	}
	snapshot, err := w.snapshot()
	if err != nil {
		return nil, err
	}
	g := &demoGateway{snapshot: snapshot, records: &records{}, ended: make(chan struct{})}
	m := newMetrics()
	m.reload(nil)
	g.stack = newStack(func() *config.Snapshot { return snapshot }, settings, outside{sink: g.records, replica: "demo"}, m, slog.New(slog.DiscardHandler))
	listeners, err := server.Listen(ctx, server.Config{},
		server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: g.stack.handler},
		server.Endpoint{Name: "ops", Addr: "127.0.0.1:0", Handler: server.Ops(server.OpsConfig{
			Metrics: promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}),
		})},
	)
	if err != nil {
		g.stack.close()
		return nil, err
	}
	g.gateway = "http://" + listeners.Addr("registry").String()
	g.ops = "http://" + listeners.Addr("ops").String()
	ctx, g.stop = context.WithCancel(ctx)
	go func() {
		defer close(g.ended)
		// The demo ends with the process; nobody waits for a cut-off request.
		_ = listeners.Serve(ctx)
	}()
	return g, nil
}

// nearest is what the verifier says of a signature that does not count: how it
// misses what was wanted. Empty when an outcome is not due to one.
func (g *demoGateway) nearest(ctx context.Context, p pull, o outcome) (string, error) {
	record := g.records.read(o.decision)
	at := slices.IndexFunc(record.Results, func(r recordedResult) bool { return r.Status == verify.Untrusted.String() })
	if o.verdict != policy.Deny.String() || at < 0 {
		return "", nil
	}
	digest, err := oci.ParseDigest(record.Image.Digest)
	if err != nil {
		return "", err
	}
	results, err := g.stack.verifier.Results(ctx, verify.Query{
		Repository: oci.Repository{Registry: demoRegistry, Path: strings.TrimPrefix(p.repository, demoRegistry+"/")},
		Digest:     digest,
		Needed:     []*verify.Integration{g.snapshot.Integrations[record.Results[at].Integration]},
	})
	if err != nil {
		return "", err
	}
	return results[0].Message, nil
}

// close ends serving and waits for it.
func (g *demoGateway) close() {
	g.stop()
	<-g.ended
	g.stack.close()
}
