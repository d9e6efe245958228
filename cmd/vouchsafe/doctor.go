package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vouchsafe/internal/report"
	"vouchsafe/nodeconfig"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find ways round the gateway", Args: cobra.NoArgs, RunE: needsSubcommand,
	}
	cmd.AddCommand(a.doctorNodeCommand())
	return cmd
}

func (a *app) doctorNodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Read a node's files and name each registry with a way round the gateway",
		Long: `Read the files of the container runtimes on a node and name each registry that can be pulled from without
the gateway: why, in which line, and the remedy. Nothing is changed and nothing is asked over the network.

  open   a way round
  wrong  not as it has to be: one change from a way round, or pulls fail, or it could not be judged
  note   worth knowing

Exit codes: 0 nothing is open or wrong, 1 something is, 2 wrong usage, a file that cannot be read, or no runtime.`,
		Example: `  vouchsafe doctor node --gateway http://127.0.0.1:5000
  vouchsafe doctor node --gateway http://127.0.0.1:5000 --root /mnt/node --runtime containerd`,
		Args: cobra.NoArgs,
	}
	f, output := addNodeFlags(cmd), outputFlag(cmd)
	root := cmd.Flags().String("root", "/", `folder that is the node's "/"`)
	completeWith(cmd, "root", folders)
	names := cmd.Flags().StringArray("runtime", nil, "runtime to look at, on the node or not; repeatable (default: those whose files are there): "+strings.Join(nodeconfig.RuntimeNames, ", "))
	complete(cmd, "runtime", nodeconfig.RuntimeNames...)
	cmd.RunE = func(*cobra.Command, []string) error {
		want, err := a.want(f)
		if err != nil {
			return err
		}
		node, err := nodeconfig.OpenNode(*root)
		if err != nil {
			return usage(err)
		}
		runtimes, err := runtimesOf(node, *names)
		if err != nil {
			return usage(err)
		}
		examined, unread := nodeconfig.Examine(node, want, runtimes)
		if err := report.Write(a.stdout, output.format, examination(examined)); err != nil {
			return err
		}
		switch {
		case unread != nil:
			return usage(unread)
		case !examined.Clean():
			return exit(exitRefused)
		}
		return nil
	}
	return cmd
}

// runtimesOf are the runtimes that were named, else those that are on the node.
func runtimesOf(node nodeconfig.Node, names []string) ([]nodeconfig.Runtime, error) {
	if len(names) == 0 {
		found, err := nodeconfig.Detect(node)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("no container runtime was found; looked for %s; name one with --runtime", strings.Join(nodeconfig.Signs(), ", "))
		}
		return found, err
	}
	var all []nodeconfig.Runtime
	for _, name := range names {
		runtime, err := nodeconfig.ParseRuntime(name)
		if err != nil {
			return nil, err
		}
		all = append(all, runtime)
	}
	return all, nil
}

// examination is a report as tables: one for each finding.
type examination nodeconfig.Report

// Tables implements [report.Tabler].
func (e examination) Tables(bool) []report.Grid {
	names := make([]string, 0, len(e.Runtimes))
	for _, r := range e.Runtimes {
		names = append(names, r.String())
	}
	result := "no way round was found"
	if !nodeconfig.Report(e).Clean() {
		result = "not closed"
	}
	head := report.Grid{Rows: [][]string{
		{"gateway", e.Gateway}, {"runtimes", strings.Join(names, ", ")}, {"result", result},
	}}
	return append([]report.Grid{head}, findingTables(e.Findings)...)
}

func findingTables(findings []nodeconfig.Finding) []report.Grid {
	grids := make([]report.Grid, 0, len(findings))
	for _, f := range findings {
		grid := report.Grid{
			Title: fmt.Sprintf("%s: %s: %s", f.Level, f.Runtime, f.Registry),
			Rows:  [][]string{{"  at", f.Place()}, {"  why", f.Why}},
		}
		if f.Remedy != "" {
			grid.Rows = append(grid.Rows, []string{"  remedy", f.Remedy})
		}
		grids = append(grids, grid)
	}
	return grids
}
