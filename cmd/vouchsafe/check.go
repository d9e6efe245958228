package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"vouchsafe/config"
	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

// checkFlags are those of `check`.
type checkFlags struct {
	output    *outputValue
	configDir *string
	namespace string
	failOn    string
}

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check IMAGE…",
		Short: "Print what the policies decide about images, and why",
		Long: `Print what the policies decide about images, and why: the same decision, by the same code, that a
pull through the gateway would get. Nothing is recorded. An image by digest is judged without knowing
which index lists it: where only the index is signed, check the index.

Exit codes: 0 each image is allowed (with a warning too), 1 one is refused, 2 wrong usage or
configuration, 3 it could not be found out.`,
		Args: someImages,
	}
	f := &checkFlags{output: reportFlag(cmd), configDir: configDirFlag(cmd)}
	cmd.Flags().StringVar(&f.namespace, "namespace", "", "namespace that the image is for, where policies name some")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "deny", "verdict from which the exit code is 1: deny or warn")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.check(cmd.Context(), f, args) }
	return cmd
}

func (a *app) check(ctx context.Context, f *checkFlags, args []string) error {
	if f.failOn != "deny" && f.failOn != "warn" {
		return usage(fmt.Errorf("--fail-on %.40q is neither deny nor warn", f.failOn))
	}
	refs, err := a.images(args)
	if err != nil {
		return err
	}
	settings, snapshot, err := a.load(*f.configDir)
	if err != nil {
		return err
	}
	a.warnOfProxies()
	s := newStack(func() *config.Snapshot { return snapshot }, settings, recording{}, newMetrics(), slog.New(slog.DiscardHandler))
	defer s.close()
	all, code := each(ctx, refs, func(ctx context.Context, ref oci.Reference) (report.Check, int) {
		c := s.check(ctx, ref, f.namespace)
		return c, verdictCode(c.Verdict, f.failOn == "warn")
	})
	if err := report.Write(a.stdout, f.output.format, report.Checks(all)); err != nil {
		return &exitError{code: exitUnknown, err: err}
	}
	return exit(code)
}

// check asks for one image as a pull would.
func (s *stack) check(ctx context.Context, ref oci.Reference, namespace string) report.Check {
	image, err := s.resolver.Resolve(ctx, ref)
	if err != nil {
		return report.Undecided(ref.String(), err)
	}
	decision, err := s.decider.Decide(ctx, policy.Request{
		Kind: policy.KindCheck, Reference: ref, Namespace: namespace,
	}, image)
	if err != nil {
		return report.Undecided(ref.String(), err)
	}
	return report.NewCheck(ref, decision)
}

// verdictCode is the exit code of one image. What is no verdict is a refusal.
func verdictCode(verdict policy.Verdict, failOnWarn bool) int {
	switch verdict {
	case policy.Allow:
		return exitOK
	case policy.Warn:
		if failOnWarn {
			return exitRefused
		}
		return exitOK
	case policy.Unavailable:
		return exitUnknown
	case policy.Deny:
	}
	return exitRefused
}
