package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// app is what a command has of the world.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
}

// run executes one command line, without the program's name, and returns the
// exit code. Data goes to stdout, the rest to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	// The first signal ends the work in order; then the default is back, so that
	// a second one ends the process at once.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := a.root() //nolint:contextcheck // commands get the context of ExecuteContext
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return exitCode(stderr, root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vouchsafe",
		Short: "A registry gateway that lets an image through only when someone you trust has vouched for it",
		Long: `Vouchsafe lets an image through only when someone you trust has vouched for it.

Nodes pull through it. It verifies the signatures of exactly the bytes that would be served,
lets your policies decide, records the decision, and then serves or refuses with a reason.

Begin with:  vouchsafe demo`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noSuchCommand,
		RunE:              needsSubcommand,
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 100"))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if later, ok := errors.AsType[*laterError](err); ok {
			return usage(later)
		}
		return usage(fmt.Errorf("%w\nsee: %s --help", err, cmd.CommandPath()))
	})
	serve := a.serveCommand()
	completeSettings(serve)
	root.AddCommand(
		a.demoCommand(), serve, a.verifyCommand(), a.verifyBundleCommand(), a.checkCommand(),
		a.configCommand(), a.clientConfigCommand(), a.doctorCommand(), a.imageCommand(), a.versionCommand(), a.completionCommand(),
	)
	return root
}

// someImages wants an argument.
func someImages(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(fmt.Errorf("no image was named\nsee: %s --help", cmd.CommandPath()))
	}
	return nil
}

// noSuchCommand refuses words behind a command that only groups others, and names
// the commands that may have been meant.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	// The edits between a word and a command that is offered for it.
	cmd.SuggestionsMinimumDistance = 2
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(fmt.Errorf("unknown command %.40q%s\nsee: %s --help", args[0], hint, cmd.CommandPath()))
}

// needsSubcommand is what a command does that only groups others.
func needsSubcommand(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return &exitError{code: exitUsage}
}
