package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vouchsafe/audit"
	"vouchsafe/config"
	"vouchsafe/internal/layout"
	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

// checkFlags are those of `check`.
type checkFlags struct {
	output       *outputValue
	configDir    *string
	namespace    string
	failOn       string
	audit        string
	layout       string
	allPlatforms bool
}

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check IMAGE…",
		Short: "Print what the policies decide about images, and why",
		Long: `Print what the policies decide about images, and why: the same decision, by the same code, that a
pull through the gateway would get. Decisions are recorded where --audit or VOUCHSAFE_AUDIT names a
file. An image by digest is judged without knowing which index lists it: where only the index is signed,
check the index, with --all-platforms for each image that it lists.

IMAGE may be "-": then names are read from stdin, one a line; empty lines and those that begin with #
are left out. With --layout the images are in the folder of an OCI image layout, and no registry is
asked: IMAGE is the name that they will have at their registry.

Exit codes: 0 each image is allowed (with a warning too), 1 one is refused, 2 wrong usage or
configuration, 3 it could not be found out.`,
		Example: `  vouchsafe check --config-dir config.d registry.acme.com/api:1.4
  vouchsafe check --config-dir config.d --namespace payments -o sarif - < images.txt > report.sarif
  vouchsafe check --config-dir config.d --layout ./saved registry.acme.com/api:1.5`,
		Args:              someImages,
		ValidArgsFunction: noNames,
	}
	f := &checkFlags{output: runFlag(cmd), configDir: configDirFlag(cmd)}
	cmd.Flags().StringVar(&f.namespace, "namespace", "", "namespace that the image is for, where policies name some")
	completeWith(cmd, "namespace", noNames)
	cmd.Flags().StringVar(&f.failOn, "fail-on", "deny", "verdict from which the exit code is 1: deny or warn")
	complete(cmd, "fail-on", "deny", "warn")
	cmd.Flags().StringVar(&f.audit, "audit", "", "file:PATH: record the decisions there (VOUCHSAFE_AUDIT)")
	complete(cmd, "audit", config.AuditFilePrefix)
	layoutFlag(cmd, &f.layout)
	allPlatformsFlag(cmd, &f.allPlatforms)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.check(cmd.Context(), f, args) }
	return cmd
}

func (a *app) check(ctx context.Context, f *checkFlags, args []string) error {
	if f.failOn != "deny" && f.failOn != "warn" {
		return usage(fmt.Errorf("--fail-on %.40q is neither deny nor warn", f.failOn))
	}
	members, err := a.images(args)
	if err != nil {
		return err
	}
	flags := map[string]string{}
	if f.audit != "" {
		flags["audit"] = f.audit
	}
	settings, snapshot, err := a.load(*f.configDir, flags)
	if err != nil {
		return err
	}
	if snapshot, err = a.withMirrors(ctx, settings, snapshot); err != nil {
		return err
	}
	around, closeRecords, err := checkRecording(settings, f.audit != "")
	if err != nil {
		return err
	}
	defer closeRecords()
	x, closeFolder, err := a.checker(f, members, snapshot, settings, around)
	if err != nil {
		return err
	}
	defer closeFolder()
	defer x.close()
	all, code := each(ctx, members, f.allPlatforms, a.newProgress("checking"), x.checking(f))
	run := reportRun("check")
	run.WarnFails = f.failOn == "warn"
	if err := report.WriteRun(a.stdout, f.output.format, report.Checks(all), run); err != nil {
		return &exitError{code: exitUnknown, err: err}
	}
	return exit(code)
}

// checker returns what judges members, which in a layout get their digests here.
func (a *app) checker(f *checkFlags, members []member, snapshot *config.Snapshot, settings config.Settings, around outside) (*examiner, func(), error) {
	if f.layout == "" {
		x, err := a.examineRegistries(snapshot, settings, around)
		return x, func() {}, err
	}
	folder, err := layout.Open(f.layout)
	if err != nil {
		return nil, nil, usage(err)
	}
	for i := range members {
		m := &members[i]
		// What is in the folder is judged as what would be pulled, and from a
		// registry that is not listed nothing is.
		if _, listed := snapshot.Registry(m.ref.Repository.Registry); !listed {
			m.err = &oci.Error{Code: oci.CodeNotListed, Message: "no Registry document named " + m.ref.Repository.Registry}
			continue
		}
		var digest oci.Digest
		if digest, m.err = folder.Find(m.ref); m.err == nil {
			m.at = m.ref.WithDigest(digest)
		}
	}
	return a.examineLayout(folder, snapshot, settings, around), func() { _ = folder.Close() }, nil
}

// checkRecording is where decisions are recorded: in a file or nowhere, since
// stdout is for data. named is true when a flag says it. The function ends it.
func checkRecording(settings config.Settings, named bool) (outside, func(), error) {
	path, isFile := settings.AuditFile()
	if !isFile {
		if named && settings.Audit != config.AuditOff {
			return outside{}, nil, usage(fmt.Errorf("--audit %.40q: a check records in a file alone: file:PATH", settings.Audit))
		}
		return outside{}, func() {}, nil
	}
	file, err := audit.NewFileSink(path)
	if err != nil {
		return outside{}, nil, usage(err)
	}
	around := outside{sink: file}
	if host, err := os.Hostname(); err == nil {
		around.replica = host
	}
	return around, func() { _ = file.Close() }, nil
}

// checking asks for the decision about one image, as a pull would.
func (x *examiner) checking(f *checkFlags) asker[report.Check] {
	return func(ctx context.Context, m member, _ *report.Check) answer[report.Check] {
		image, err := x.resolve(ctx, m)
		err = x.advised(m.ref, err)
		a := answer[report.Check]{image: image}
		var decision policy.Decision
		if err == nil {
			decision, err = x.decider.Decide(ctx, policy.Request{
				Kind: policy.KindCheck, Reference: m.ref, Namespace: f.namespace,
			}, image)
		}
		if err == nil {
			a.value = report.NewCheck(m.ref, decision)
		} else {
			a.value = report.Undecided(m.ref.String(), err)
		}
		a.value.Platform, a.value.Index = m.platform, m.index
		a.code = verdictCode(a.value.Verdict, f.failOn == "warn")
		return a
	}
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
