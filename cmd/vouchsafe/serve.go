package main

import (
	"context"
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"vouchsafe/config"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway: answer /v2/ at LISTEN, and health and metrics at OPS_LISTEN.

Each setting is a flag, else an environment variable, else its default. Audit records go to stdout,
the log to stderr. Changed documents come into force within 2 s; documents with a mistake leave the
last good ones in force, and at the start end the program with exit code 2.

SIGTERM and SIGINT: /readyz is 503 and connections are still taken for DRAIN_DELAY; then running
requests have DRAIN_TIMEOUT, and what is left is cut off, with a warning. The exit code is 0 either
way. A second signal ends at once. SIGHUP reads the documents now,
asks TUF mirrors and opens an audit file again.`,
		Args: cobra.NoArgs,
	}
	settingFlags(cmd.Flags())
	pprof := cmd.Flags().Bool("pprof", false, "serve the runtime's profiles at OPS_LISTEN under /debug/pprof/; they show memory, secrets included")
	addLaterFlags(cmd.Flags(), laterServeFlags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.LoadSettings(a.environ, givenFlags(cmd.Flags()))
		if err != nil {
			return usage(err)
		}
		return a.serve(cmd.Context(), settings, *pprof)
	}
	return cmd
}

func (a *app) serve(ctx context.Context, settings config.Settings, pprof bool) error {
	// Whoever reads stdout or stderr may leave: that is a failing audit sink, or
	// lost log lines, and not the end of the program.
	signal.Ignore(syscall.SIGPIPE)
	m := newMetrics()
	log, lines := a.startLog(settings, m.logDropped.Inc)
	defer lines.close()
	noCore(ctx, log)
	// net/http quotes there what registries send behind an answer.
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelWarn).Writer())
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	g, err := a.newGateway(ctx, settings, m, log)
	if err != nil {
		return usage(err)
	}
	defer g.close(ctx)
	listeners, err := g.listen(ctx, settings, pprof)
	if err != nil {
		return usage(err)
	}
	g.sayPlain(ctx, settings)
	return g.run(ctx, listeners, hangup)
}
