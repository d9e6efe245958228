package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"vouchsafe/config"
	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/verify"
)

// verifyFlags are those of `verify` and of its alias `image scan`.
type verifyFlags struct {
	output      *outputValue
	configDir   *string
	integration string
	keys        []string
	plainHTTP   bool
}

func newVerifyFlags(cmd *cobra.Command) *verifyFlags {
	f := &verifyFlags{output: reportFlag(cmd), configDir: configDirFlag(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&f.integration, "integration", "", "judge by this integration of the documents alone")
	flags.StringArrayVar(&f.keys, "key", nil, "file of a public key that is trusted, instead of documents (repeatable)")
	flags.BoolVar(&f.plainHTTP, "plain-http", false, "ask the registry without TLS (not with documents)")
	flags.Bool("insecure-ignore-tlog", false, "accepted as cosign has it: no log entry is demanded with --key")
	addLaterFlags(flags, laterVerifyFlags)
	return f
}

const verifyLong = `Print the signature verification data of images: every signature, what it proves, and a result for
each integration.

Trust comes from documents (--config-dir) or from --key. With --key the image's registry counts as
listed, may be at a private address, and is read with your docker login ($DOCKER_CONFIG or ~/.docker;
credential helpers are not executed). Without either, what is found is listed and the exit code is 2.

Exit codes: 0 each image is verified by an integration, 1 one is not, 2 wrong usage or configuration,
3 it could not be found out.`

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "verify IMAGE…",
		Short:   "Verify the signatures of images and print what they prove",
		Long:    verifyLong,
		Example: "  vouchsafe verify --key cosign.pub registry.acme.com/api:1.4\n  vouchsafe verify --config-dir config.d -o json - < images.txt",
		Args:    someImages,
	}
	f := newVerifyFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), f, args) }
	return cmd
}

// imageCommand is `image scan --image REF`, the same under the name that other
// tools give it.
func (a *app) imageCommand() *cobra.Command {
	image := &cobra.Command{
		Use: "image", Short: "The same as verify, under another name", Args: cobra.NoArgs, RunE: needsSubcommand,
	}
	scan := &cobra.Command{
		Use: "scan --image REF", Short: "Verify the signatures of an image", Long: verifyLong, Args: cobra.NoArgs,
	}
	f := newVerifyFlags(scan)
	var names []string
	scan.Flags().StringArrayVar(&names, "image", nil, "image by tag or digest (repeatable)")
	scan.RunE = func(cmd *cobra.Command, _ []string) error { return a.verify(cmd.Context(), f, names) }
	image.AddCommand(scan)
	return image
}

func (a *app) verify(ctx context.Context, f *verifyFlags, args []string) error {
	refs, err := a.images(args)
	if err != nil {
		return err
	}
	settings, err := a.settings(*f.configDir)
	if err != nil {
		return err
	}
	snapshot, err := a.trust(settings, f, refs)
	if err != nil {
		return err
	}
	integrations, err := selected(snapshot, f.integration)
	if err != nil {
		return err
	}
	a.warnOfProxies()
	s := newStack(func() *config.Snapshot { return snapshot }, settings, recording{}, newMetrics(), slog.New(slog.DiscardHandler))
	defer s.close()
	all, code := each(ctx, refs, func(ctx context.Context, ref oci.Reference) (report.Verification, int) {
		return s.verify(ctx, ref, integrations)
	})
	if err := report.Write(a.stdout, f.output.format, report.Verifications(all)); err != nil {
		return &exitError{code: exitUnknown, err: err}
	}
	if len(integrations) == 0 {
		return usage(fmt.Errorf("nobody is trusted, so nothing was judged: name --key FILE, or --config-dir DIR with a SignatureIntegration"))
	}
	return exit(code)
}

// trust returns the configuration to verify with: the documents, or one made of
// flags. A flag wins over a folder that only the environment names.
func (a *app) trust(settings config.Settings, f *verifyFlags, refs []oci.Reference) (*config.Snapshot, error) {
	switch documents := *f.configDir != ""; {
	case documents && (len(f.keys) > 0 || f.plainHTTP):
		return nil, usage(fmt.Errorf("--key and --plain-http go without --config-dir: with documents only those hold"))
	case documents, len(f.keys) == 0 && !f.plainHTTP && settings.ConfigDirNamed:
		return a.documents(settings)
	case f.integration != "":
		return nil, usage(fmt.Errorf("--integration names one of the documents: say --config-dir too"))
	}
	return a.oneOff(refs, f.keys, f.plainHTTP)
}

// selected returns the integrations to judge by, in the order of their names.
func selected(snapshot *config.Snapshot, name string) ([]*verify.Integration, error) {
	if name == "" {
		return snapshot.Rules.Integrations, nil
	}
	if in, ok := snapshot.Integrations[name]; ok {
		return []*verify.Integration{in}, nil
	}
	return nil, usage(fmt.Errorf("no SignatureIntegration is named %q", name))
}

// verify asks for one image and returns what to print, with the exit code.
func (s *stack) verify(ctx context.Context, ref oci.Reference, integrations []*verify.Integration) (report.Verification, int) {
	names := make([]string, len(integrations))
	for i, in := range integrations {
		names[i] = in.Name()
	}
	image, err := s.resolver.Resolve(ctx, ref)
	if err != nil {
		if s.current().Revision == oneOffName {
			err = advised(err)
		}
		v := report.Unread(ref.String(), names, err)
		return v, resultCode(v.Results)
	}
	if len(integrations) == 0 {
		evidence, err := s.verifier.Evidence(ctx, ref.Repository, image.Reference.Digest, 0)
		if err != nil {
			return report.Unread(ref.String(), nil, err), exitUnknown
		}
		return report.Found(ref, evidence), exitUsage
	}
	results, err := s.verifier.Results(ctx, verify.Query{
		Repository: ref.Repository, Digest: image.Reference.Digest, Needed: integrations,
	})
	if err != nil {
		v := report.Unread(ref.String(), names, err)
		return v, resultCode(v.Results)
	}
	return report.NewVerification(ref, image.Reference.Digest, results), resultCode(results)
}

// resultCode is the exit code of one image: verified by one of the integrations,
// else unknown if one could not be found out, else not verified.
func resultCode(results []verify.Result) int {
	is := func(status verify.Status) bool {
		return slices.ContainsFunc(results, func(r verify.Result) bool { return r.Status == status })
	}
	switch {
	case is(verify.Verified):
		return exitOK
	case is(verify.Unavailable), len(results) == 0:
		return exitUnknown
	}
	return exitRefused
}
