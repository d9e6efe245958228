package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"vouchsafe/audit"
	"vouchsafe/config"
	"vouchsafe/internal/server"
	"vouchsafe/policy"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway: answer /v2/ at LISTEN, and health and metrics at OPS_LISTEN.

Each setting is a flag, else an environment variable, else its default. Audit records go to stdout,
the log to stderr. Changed documents come into force within 2 s; documents with a mistake leave the
last good ones in force, and at the start end the program with exit code 2.

SIGTERM and SIGINT take no new connection and give running requests 30 s; what is left then is cut
off, with a warning. The exit code is 0 either way. A second signal ends at once.`,
		Args: cobra.NoArgs,
	}
	settingFlags(cmd.Flags())
	addLaterFlags(cmd.Flags(), laterServeFlags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.LoadSettings(a.environ, givenFlags(cmd.Flags()))
		if err != nil {
			return usage(err)
		}
		return a.serve(cmd.Context(), settings)
	}
	return cmd
}

func (a *app) serve(ctx context.Context, settings config.Settings) error {
	// Whoever reads stdout or stderr may leave: that is a failing audit sink, or
	// lost log lines, and not the end of the program.
	signal.Ignore(syscall.SIGPIPE)
	m := newMetrics()
	log, lines := a.startLog(settings, m.logDropped.Inc)
	defer lines.close()
	g := &gateway{metrics: m, log: log, unkept: settings.Audit == config.AuditStdout && isNull(a.stdout)}
	store, err := config.NewStore(config.LoadOptions{Settings: settings}, config.StoreConfig{Changed: g.changed, Log: log})
	if err != nil {
		return usage(err)
	}
	snapshot := store.Current()
	g.stack = newStack(store.Current, settings, a.recording(settings), g.metrics, log)
	defer g.stack.close()
	listeners, err := server.Listen(ctx, server.Config{Log: log},
		server.Endpoint{Name: "registry", Addr: settings.Listen, Handler: g.stack.handler},
		server.Endpoint{Name: "ops", Addr: settings.OpsListen, Handler: g.ops(ctx)},
	)
	if err != nil {
		return usage(err)
	}
	g.started(ctx, snapshot, listeners)
	if text := a.proxyWarning(); text != "" {
		log.WarnContext(ctx, text)
	}
	if settings.PlainToOthers() {
		log.WarnContext(ctx, "plain HTTP on an address that is not loopback: LISTEN "+settings.Listen)
	}
	return g.run(ctx, store, listeners)
}

// recording is where audit records go. The replica is the name of the host, which
// in a pod is the pod's; without one records do not name it.
func (a *app) recording(settings config.Settings) recording {
	if settings.Audit == config.AuditOff {
		return recording{}
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return recording{sink: audit.NewWriterSink(a.stdout), replica: host}
}

// gateway is a process that serves.
type gateway struct {
	stack   *stack
	metrics *metrics
	log     *slog.Logger
	// unkept says that audit records go to /dev/null.
	unkept bool
	// reload is what was wrong with the last reload; nil, or a nil inside, is
	// nothing.
	reload atomic.Pointer[error]
}

// ops answers health and metrics. A bad reload is shown and changes no status:
// the gateway serves on with what it has.
func (g *gateway) ops(ctx context.Context) http.Handler {
	return server.Ops(server.OpsConfig{
		Ready: func() bool { return ctx.Err() == nil },
		Checks: []server.Check{{Name: "configuration", Probe: func() error {
			if err := g.reload.Load(); err != nil {
				return *err
			}
			return nil
		}}},
		Metrics: promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}),
	})
}

// started says what is served, once.
func (g *gateway) started(ctx context.Context, snapshot *config.Snapshot, listeners *server.Group) {
	g.metrics.reload(nil)
	_ = g.stack.decider.Configuration(ctx, snapshot.Revision, "configuration in force at start")
	g.log.InfoContext(ctx, "serving",
		"registry", listeners.Addr("registry").String(), "ops", listeners.Addr("ops").String(),
		"version", readVersion().Version, "revision", snapshot.Revision,
		"policies", len(snapshot.Rules.Policies), "enforcing", enforcing(snapshot), "integrations", len(snapshot.Rules.Integrations),
		"registries", len(snapshot.Registries))
	g.warn(ctx, snapshot)
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
		g.log.WarnContext(ctx, "audit records go to "+os.DevNull+": stdout is closed or leads there")
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
	_ = g.stack.decider.Configuration(ctx, snapshot.Revision, message)
	if err == nil {
		g.warn(ctx, snapshot)
	}
}

// run serves until ctx ends, and follows the documents meanwhile.
func (g *gateway) run(ctx context.Context, store *config.Store, listeners *server.Group) error {
	ctx, cancel := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		if err := store.Watch(ctx); err != nil && ctx.Err() == nil {
			g.log.ErrorContext(ctx, "documents are not followed", "error", err)
		}
	}()
	err := listeners.Serve(ctx)
	cancel()
	<-watching
	if err != nil {
		// By the log alone: stderr itself may be stuck.
		g.log.ErrorContext(ctx, "ended by a failure", "error", err)
		return &exitError{code: exitUnknown}
	}
	g.log.InfoContext(ctx, "ended")
	return nil
}
