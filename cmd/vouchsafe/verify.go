package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vouchsafe/config"
	"vouchsafe/internal/layout"
	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/verify"
)

// verifyFlags are those of `verify` and of its alias `image scan`.
type verifyFlags struct {
	output       *outputValue
	configDir    *string
	integration  string
	trust        trustFlags
	plainHTTP    bool
	layout       string
	allPlatforms bool
}

func (a *app) newVerifyFlags(cmd *cobra.Command) *verifyFlags {
	f := &verifyFlags{output: runFlag(cmd), configDir: configDirFlag(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&f.integration, "integration", "", "judge by this integration of the documents alone")
	f.trust.addTrust(cmd, true)
	flags.BoolVar(&f.plainHTTP, "plain-http", false, "ask the registry without TLS (not with documents)")
	layoutFlag(cmd, &f.layout)
	allPlatformsFlag(cmd, &f.allPlatforms)
	a.completeIntegrations(cmd, f.configDir)
	return f
}

// layoutFlag adds --layout.
func layoutFlag(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "layout", "", "folder of an OCI image layout that holds the images, instead of registries")
	completeWith(cmd, "layout", folders)
}

// allPlatformsFlag adds --all-platforms.
func allPlatformsFlag(cmd *cobra.Command, value *bool) {
	cmd.Flags().BoolVar(value, "all-platforms", false, "ask about every image that an index lists too")
}

const verifyLong = `Print the signature verification data of images: every signature, what it proves, and a result for
each integration.

Trust comes from documents (--config-dir), or from flags: --key, or --certificate-identity with
--certificate-oidc-issuer. With flags the image's registry counts as listed, may be at a private
address, and is read with your docker login ($DOCKER_CONFIG or ~/.docker; credential helpers are not
executed). Without either, what is found is listed and the exit code is 2.

Certificates are those of the trusted root's authorities, of the public Sigstore instance unless
--trusted-root names another, and then a log entry has to prove when they signed; with
--insecure-ignore-tlog a timestamp has to. --certificate-chain names an own CA instead: no log entry is
demanded then unless --tlog says so, as with --key.

IMAGE may be "-": then names are read from stdin, one a line; empty lines and those that begin with #
are left out.

With --layout the images are in a folder, as "cosign save", "skopeo copy" to oci: and "oras copy" write
it, and no registry is asked (a log may be, unless --offline says no). IMAGE is then a name that the folder gives, a digest, or the image's name
at its registry; without one every image in the folder is verified, signatures left out. Images that the
folder gives no name are printed as localhost/layout.

With --all-platforms each image of an index has a line of its own; one whose own signature does not
verify is verified through the index when that is.

Exit codes: 0 each image is verified by an integration, 1 one is not, 2 wrong usage or configuration,
3 it could not be found out.`

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify IMAGE…",
		Short: "Verify the signatures of images and print what they prove",
		Long:  verifyLong,
		Example: `  vouchsafe verify --key cosign.pub registry.acme.com/api:1.4
  vouchsafe verify --key cosign.pub --all-platforms registry.acme.com/api:1.4
  vouchsafe verify --offline --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity https://github.com/acme/api/.github/workflows/release.yml@refs/heads/main \
    -o json ghcr.io/acme/api:1.4
  vouchsafe verify --config-dir config.d -o junit - < images.txt > report.xml
  vouchsafe verify --key cosign.pub --layout ./saved`,
		ValidArgsFunction: noNames,
	}
	f := a.newVerifyFlags(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if f.layout != "" {
			return nil
		}
		return someImages(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), f, args) }
	return cmd
}

// imageCommand is `image scan --image REF`, the same under the name that other
// tools give it.
func (a *app) imageCommand() *cobra.Command {
	image := &cobra.Command{
		Use: "image", Short: "The same as verify, under another name", Args: noSuchCommand, RunE: needsSubcommand,
	}
	scan := &cobra.Command{
		Use: "scan --image REF", Short: "Verify the signatures of an image", Long: verifyLong, Args: cobra.NoArgs,
	}
	f := a.newVerifyFlags(scan)
	var names []string
	scan.Flags().StringArrayVar(&names, "image", nil, "image by tag or digest (repeatable)")
	completeWith(scan, "image", noNames)
	scan.RunE = func(cmd *cobra.Command, _ []string) error { return a.verify(cmd.Context(), f, names) }
	image.AddCommand(scan)
	return image
}

func (a *app) verify(ctx context.Context, f *verifyFlags, args []string) error {
	settings, err := a.settings(*f.configDir, nil)
	if err != nil {
		return err
	}
	members, folder, err := a.members(f, args)
	if err != nil {
		return err
	}
	if folder != nil {
		defer func() { _ = folder.Close() }()
	}
	snapshot, err := a.trust(settings, f, members)
	if err != nil {
		return err
	}
	if snapshot, err = a.withMirrors(ctx, settings, snapshot); err != nil {
		return err
	}
	integrations, err := selected(snapshot, f.integration)
	if err != nil {
		return err
	}
	var x *examiner
	if folder != nil {
		x = a.examineLayout(folder, snapshot, settings, outside{})
	} else {
		if x, err = a.examineRegistries(snapshot, settings, outside{}); err != nil {
			return err
		}
	}
	defer x.close()
	all, code := each(ctx, members, f.allPlatforms, a.newProgress("verifying"), x.verifying(integrations))
	if len(all) == 0 {
		return usage(fmt.Errorf("the layout %s lists no image", f.layout))
	}
	if err := report.WriteRun(a.stdout, f.output.format, report.Verifications(all), reportRun("verify")); err != nil {
		return &exitError{code: exitUnknown, err: err}
	}
	if len(integrations) == 0 {
		return usage(fmt.Errorf("nobody is trusted, so nothing was judged: name --key FILE, or --certificate-identity and --certificate-oidc-issuer, or --config-dir DIR with a SignatureIntegration"))
	}
	return exit(code)
}

// members returns the images to ask about, and the folder that they are in when
// one is named.
func (a *app) members(f *verifyFlags, args []string) ([]member, *layout.Layout, error) {
	if f.layout == "" {
		members, err := a.images(args)
		return members, nil, err
	}
	if f.plainHTTP {
		return nil, nil, usage(fmt.Errorf("--plain-http goes without --layout: no registry is asked"))
	}
	folder, err := layout.Open(f.layout)
	if err != nil {
		return nil, nil, usage(err)
	}
	members, err := a.imagesIn(folder, args)
	if err != nil {
		_ = folder.Close()
		return nil, nil, err
	}
	return members, folder, nil
}

// reportRun is what reports say of this run.
func reportRun(command string) report.Run {
	return report.Run{Command: command, Version: readVersion().Version}
}

// trust returns the configuration to verify with: the documents, or one made of
// flags. A flag wins over a folder that only the environment names.
func (a *app) trust(settings config.Settings, f *verifyFlags, members []member) (*config.Snapshot, error) {
	flags := f.trust.given() || f.plainHTTP
	switch documents := *f.configDir != ""; {
	case documents && flags:
		return nil, usage(fmt.Errorf("%s go without --config-dir: with documents only those hold", f.oneOffNames()))
	case documents, !flags && settings.ConfigDirNamed:
		return a.documents(settings)
	case f.integration != "":
		return nil, usage(fmt.Errorf("--integration names one of the documents: say --config-dir too"))
	}
	if err := f.trust.combined(); err != nil {
		return nil, usage(err)
	}
	var refs []oci.Reference
	if f.layout == "" {
		for _, m := range members {
			refs = append(refs, m.ref)
		}
	}
	return a.oneOff(refs, &f.trust, f.plainHTTP)
}

// oneOffNames names the flags that were written and that documents stand for.
func (f *verifyFlags) oneOffNames() string {
	var names []string
	for _, name := range append(slices.Clone(oneOffFlags), "plain-http") {
		if f.trust.set.Changed(name) {
			names = append(names, "--"+name)
		}
	}
	return strings.Join(names, ", ")
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
