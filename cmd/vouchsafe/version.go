package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"vouchsafe/internal/report"
	"vouchsafe/verify"
)

// version and commit are set by the linker for releases (-X main.version=…);
// else what the toolchain recorded stands for them.
var version, commit string

// verifierModules are the modules whose versions decide what verifies.
var verifierModules = []string{
	"github.com/sigstore/cosign/v2",
	"github.com/sigstore/rekor",
	"github.com/sigstore/sigstore",
	"github.com/sigstore/sigstore-go",
}

// versionInfo is what `vouchsafe version` prints.
type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	// Modules are those of the verifier.
	Modules []moduleVersion `json:"modules"`
	// TrustedRoot is the day of the embedded snapshot of the public instance's
	// trusted root.
	TrustedRoot string `json:"trustedRoot"`
}

type moduleVersion struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// readVersion reads the build's own record. What is not known is "unknown".
func readVersion() versionInfo {
	info := versionInfo{Version: version, Commit: commit, Go: runtime.Version(), TrustedRoot: verify.EmbeddedTrustedRootDate}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	if info.Version == "" {
		info.Version = build.Main.Version
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" && info.Commit == "" {
			info.Commit = setting.Value
		}
	}
	for _, path := range verifierModules {
		info.Modules = append(info.Modules, moduleVersion{Path: path, Version: "unknown"})
		for _, dep := range build.Deps {
			if dep.Path == path {
				if dep.Replace != nil {
					dep = dep.Replace
				}
				info.Modules[len(info.Modules)-1].Version = dep.Version
			}
		}
	}
	for _, field := range []*string{&info.Version, &info.Commit} {
		if *field == "" {
			*field = "unknown"
		}
	}
	return info
}

// Tables implements [report.Tabler].
func (v versionInfo) Tables(bool) []report.Grid {
	rows := [][]string{{"vouchsafe", v.Version}, {"commit", v.Commit}, {"go", v.Go}}
	for _, m := range v.Modules {
		rows = append(rows, []string{m.Path, m.Version})
	}
	rows = append(rows, []string{"trusted root", v.TrustedRoot + " (embedded)"})
	return []report.Grid{{Rows: rows}}
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the program and of what verifies",
		Args:  cobra.NoArgs,
	}
	output := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return report.Write(a.stdout, output.format, readVersion())
	}
	return cmd
}
