package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vouchsafe/audit"
	"vouchsafe/config"
	"vouchsafe/internal/datadir"
	"vouchsafe/internal/server"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// auditLook is how often it is looked whether the audit file is where it was.
const auditLook = time.Second

// gateway is a process that serves.
type gateway struct {
	stack   *stack
	store   *config.Store
	cluster *cluster
	// data is DATA_DIR, mirrors what TUF mirrors gave.
	data    *datadir.Dir
	mirrors *verify.Mirrors
	metrics *metrics
	traces  *tracing
	tokens  *tokenFile
	// file is the audit file; nil when records go elsewhere.
	file *audit.FileSink
	log  *slog.Logger
	// unkept says that audit records go to /dev/null.
	unkept bool
	// shedder is nil without GOMEMLIMIT, and before listen.
	shedder *shedder
	// reload is what was wrong with the last reload; nil, or a nil inside, is
	// nothing.
	reload atomic.Pointer[error]
	// certificate is the same of the certificate of LISTEN.
	certificate atomic.Pointer[error]
	// serving is true from when all listeners are open.
	serving atomic.Bool
}

// newGateway reads everything that the settings name, and opens no listener. No
// registry is asked: a start works with all of them down.
func (a *app) newGateway(ctx context.Context, settings config.Settings, m *metrics, log *slog.Logger) (_ *gateway, err error) {
	g := &gateway{metrics: m, log: log, unkept: settings.Audit == config.AuditStdout && isNull(a.stdout)}
	if path, isFile := settings.AuditFile(); isFile {
		g.unkept = path == os.DevNull
	}
	defer func() {
		if err != nil {
			g.close(ctx)
		}
	}()
	if err := g.open(a.environ, settings); err != nil {
		return nil, err
	}
	if g.tokens, err = readTokenFile(settings.ClientTokensFile, log); err != nil {
		return nil, err
	}
	if g.traces, err = newTracing(ctx, a.environ, log); err != nil {
		return nil, err
	}
	around, err := a.outside(settings, g)
	if err != nil {
		return nil, err
	}
	g.stack = newStack(g.store.Current, settings, around, m, log)
	g.cluster, err = a.newCluster(g.stack, settings, g.data, m, log)
	return g, err
}

// open reads the documents, with the trusted roots of TUF mirrors that DATA_DIR
// has.
func (g *gateway) open(environ []string, settings config.Settings) error {
	egress, err := upstream.NewEgress(environ)
	if err != nil {
		return err
	}
	g.data = datadir.New(settings.DataDir)
	g.mirrors = g.newMirrors(egress, func() { g.store.Refresh() })
	g.metrics.mirrors = g.mirrors.Statuses
	g.store, err = config.NewStore(config.LoadOptions{Settings: settings, Mirrors: g.mirrors},
		config.StoreConfig{Changed: g.changed, Refreshed: g.refreshed, Log: g.log})
	return err
}

// outside opens what the stack has of the world around the process. The replica
// is the name of the host, which in a pod is the pod's; without one records do
// not name it.
func (a *app) outside(settings config.Settings, g *gateway) (outside, error) {
	egress, err := upstream.NewEgress(a.environ)
	if err != nil {
		return outside{}, err
	}
	around := outside{traces: g.traces, egress: egress}
	if g.tokens != nil {
		around.tokens = g.tokens.current
	}
	if host, err := os.Hostname(); err == nil {
		around.replica = host
	}
	path, isFile := settings.AuditFile()
	switch {
	case isFile:
		file, err := audit.NewFileSink(path)
		if err != nil {
			return outside{}, err
		}
		g.file, around.sink = file, file
	case settings.Audit != config.AuditOff:
		around.sink = audit.NewWriterSink(a.stdout)
	}
	return around, nil
}

// listen opens the listeners.
func (g *gateway) listen(ctx context.Context, settings config.Settings, pprof bool) (*server.Group, error) {
	g.shedder = newShedder(g.metrics.shed.Inc, g.stack.release, g.log)
	saySizes(ctx, settings, memoryLimit(), g.log)
	var listeners *server.Group
	endpoints := append(g.endpoints(settings), server.Endpoint{
		Name: "ops", Addr: settings.OpsListen, Last: true, Handler: g.ops(func() bool {
			return g.serving.Load() && g.cluster.ready() && !listeners.Draining()
		}, pprof),
	})
	listeners, err := server.Listen(ctx, server.Config{
		DrainDelay: settings.DrainDelay, DrainTimeout: settings.DrainTimeout,
		Opened: g.metrics.connection, Refused: g.metrics.refused, Log: g.log,
	}, endpoints...)
	if err != nil {
		return nil, err
	}
	g.started(ctx, listeners)
	return listeners, nil
}

// endpoints are those for nodes and for API servers.
func (g *gateway) endpoints(settings config.Settings) []server.Endpoint {
	var all []server.Endpoint
	if settings.Listen != config.ListenOff {
		registry := server.Endpoint{
			Name: "registry", Addr: settings.Listen, Handler: g.traces.handler(g.shedder.handler(g.stack.handler)),
			MaxConnections: settings.MaxConnections, MaxConnectionsPerAddress: settings.MaxConnectionsPerAddress,
		}
		if settings.TLSCertFile != "" {
			registry.TLS = &server.Certificate{CertFile: settings.TLSCertFile, KeyFile: settings.TLSKeyFile, Reloaded: g.certificateReloaded}
			g.metrics.certificateEnd = registry.TLS.NotAfter
		}
		all = append(all, registry)
	}
	if g.cluster.webhook != nil {
		all = append(all, server.Endpoint{
			Name: "webhook", Addr: settings.WebhookListen, Handler: g.cluster.webhook, TLS: g.cluster.certificate,
			MaxConnections: settings.MaxConnections, MaxConnectionsPerAddress: settings.MaxConnectionsPerAddress,
		})
	}
	return all
}

// ops answers health and metrics. A bad reload is shown and changes no status:
// the gateway serves on with what it has.
func (g *gateway) ops(ready func() bool, pprof bool) http.Handler {
	return server.Ops(server.OpsConfig{
		Started: g.serving.Load,
		Ready:   ready,
		Checks: append([]server.Check{
			{Name: "configuration", Probe: func() error {
				if err := g.reload.Load(); err != nil {
					return *err
				}
				return nil
			}},
			{Name: "audit", Probe: func() error { return g.stack.records.Problem() }},
			{Name: "client-tokens", Probe: g.tokens.problem},
			{Name: "certificate", Probe: g.certificateProblem},
			{Name: "trusted-roots", Probe: g.mirrorProblem},
			{Name: "memory", Probe: g.shedder.problem},
		}, g.cluster.checks()...),
		Metrics: promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}),
		Pprof:   pprof,
	})
}

// started says what is served, once.
func (g *gateway) started(ctx context.Context, listeners *server.Group) {
	snapshot := g.store.Current()
	g.metrics.reload(nil)
	_ = g.stack.records.Configuration(ctx, snapshot.Revision, "configuration in force at start")
	g.log.InfoContext(ctx, "serving",
		"registry", address(listeners, "registry"), "ops", address(listeners, "ops"), "webhook", address(listeners, "webhook"),
		"version", readVersion().Version, "revision", snapshot.Revision,
		"policies", len(snapshot.Rules.Policies), "enforcing", enforcing(snapshot), "integrations", len(snapshot.Rules.Integrations),
		"registries", len(snapshot.Registries))
	g.warn(ctx, snapshot)
	g.followMirrors(ctx, snapshot)
	g.serving.Store(true)
}

// address is where an endpoint listens, "off" for one that does not.
func address(listeners *server.Group, name string) string {
	if addr := listeners.Addr(name); addr != nil {
		return addr.String()
	}
	return config.ListenOff
}

// sayPlain warns of what a start may do and should not.
func (g *gateway) sayPlain(ctx context.Context, settings config.Settings) {
	if settings.PlainToOthers() {
		g.log.WarnContext(ctx, "plain HTTP on an address that is not loopback: LISTEN "+settings.Listen)
	}
}

// certificateReloaded is called after each change of the certificate's files.
func (g *gateway) certificateReloaded(err error) {
	g.certificate.Store(&err)
	g.metrics.certificateReload(err)
}

// certificateProblem says what is wrong with the certificate of LISTEN.
func (g *gateway) certificateProblem() error {
	if err := g.certificate.Load(); err != nil && *err != nil {
		return *err
	}
	if end := g.metrics.certificateEnd; end != nil && time.Now().After(end()) {
		return fmt.Errorf("it ended at %s", end().UTC().Format(time.RFC3339))
	}
	return nil
}

// enforcing counts the policies that refuse.
func enforcing(snapshot *config.Snapshot) int {
	n := 0
	for _, p := range snapshot.Rules.Policies {
		if p.Behavior() == policy.InformAndEnforce {
			n++
		}
	}
	return n
}

// warn logs the remarks that did not keep the documents from loading, among them
// that nothing is enforced, and that records are kept by nobody while something is.
func (g *gateway) warn(ctx context.Context, snapshot *config.Snapshot) {
	if g.unkept && enforcing(snapshot) > 0 {
		g.log.WarnContext(ctx, "audit records go to "+os.DevNull+", where nobody keeps them")
	}
	for _, p := range snapshot.Warnings {
		g.log.WarnContext(ctx, p.Message, "file", p.File, "line", p.Line, "path", p.Path, "hint", p.Hint)
	}
}

// changed is called after each reload, good or bad.
func (g *gateway) changed(snapshot *config.Snapshot, err error) {
	ctx := context.Background()
	g.metrics.reload(err)
	g.reload.Store(&err)
	message := "configuration in force"
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		message = "configuration refused, the last good one stays in force: " + first
	}
	// That it was not recorded is counted and logged by the audit log itself.
	_ = g.stack.records.Configuration(ctx, snapshot.Revision, message)
	if err == nil {
		g.warn(ctx, snapshot)
		g.followMirrors(ctx, snapshot)
	}
}

// run serves until ctx ends, and follows what may change meanwhile.
func (g *gateway) run(ctx context.Context, listeners *server.Group, hangup <-chan os.Signal) error {
	following, end := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		if err := g.store.Watch(following); err != nil && following.Err() == nil {
			g.log.ErrorContext(ctx, "documents are not followed", "error", err)
		}
	})
	background.Go(func() { g.mirrors.Run(following) })
	background.Go(func() { g.tokens.follow(following) })
	background.Go(func() { g.hear(following, hangup) })
	background.Go(func() { g.stack.again.Run(following) })
	background.Go(func() { g.shedder.follow(following) })
	g.cluster.run(following, &background)
	err := listeners.Serve(ctx)
	end()
	background.Wait()
	if err != nil {
		// By the log alone: stderr itself may be stuck.
		g.log.ErrorContext(ctx, "ended by a failure", "error", err)
		return &exitError{code: exitUnknown}
	}
	g.log.InfoContext(ctx, "ended")
	return nil
}

// hear acts upon SIGHUP until ctx ends: the audit file is opened again, for
// whoever rotates it, and the documents are read.
func (g *gateway) hear(ctx context.Context, hangup <-chan os.Signal) {
	look := time.NewTicker(auditLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			// Not everybody who moves a file sends a signal, and nobody who deletes it.
			if g.file != nil && g.file.Moved() {
				g.log.WarnContext(ctx, "the audit file was moved or deleted, it is opened again")
				g.reopen(ctx)
			}
		case <-hangup:
			g.log.InfoContext(ctx, "SIGHUP: reading the documents, opening the audit file again")
			if g.file != nil {
				g.reopen(ctx)
			}
			g.store.Reload()
			g.mirrors.Hurry()
		}
	}
}

func (g *gateway) reopen(ctx context.Context) {
	if err := g.file.Reopen(); err != nil {
		g.log.ErrorContext(ctx, "the audit file was not opened again, records go where they went", "error", err)
	}
}

// close gives back what the gateway holds. It is safe for one that was never
// complete.
func (g *gateway) close(ctx context.Context) {
	g.cluster.close()
	if g.stack != nil {
		g.stack.close()
	}
	if g.data != nil {
		if err := g.data.Close(); err != nil {
			g.log.ErrorContext(ctx, "DATA_DIR was not closed", "error", err)
		}
	}
	if g.file != nil {
		if err := g.file.Close(); err != nil {
			g.log.ErrorContext(ctx, "the audit file was not closed", "error", err)
		}
	}
	g.traces.close(ctx)
}
