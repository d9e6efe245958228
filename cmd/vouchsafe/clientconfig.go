package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vouchsafe/internal/report"
	"vouchsafe/nodeconfig"
)

func (a *app) clientConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client-config " + strings.Join(nodeconfig.RuntimeNames, "|"),
		Short: "Write the files by which a node pulls through the gateway and not round it",
		Long: `Print the files that make a container runtime pull through the gateway, with every way round closed
that the runtime lets close. Those that are left are printed on stderr.

With --write the files are put on the node: nothing else in config.toml, policy.json and daemon.json is
changed, a file that somebody else wrote is not replaced without --force, what is replaced is kept beside
it, and a second time nothing is written. Then the node is examined as "doctor node" does.

Exit codes: 0 done, 1 written and a way round is left in other files, 2 wrong usage or something in the way.`,
		Example: `  vouchsafe client-config containerd --gateway http://127.0.0.1:5000
  vouchsafe client-config containerd --gateway http://127.0.0.1:5000 --write
  vouchsafe client-config podman --gateway https://gateway.internal:5000 --ca-file ca.pem --registry docker.io`,
		ValidArgs: nodeconfig.RuntimeNames,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(fmt.Errorf("one runtime is needed: %s", strings.Join(nodeconfig.RuntimeNames, ", ")))
			}
			_, err := nodeconfig.ParseRuntime(args[0])
			return asUsage(err)
		},
	}
	f, output := addNodeFlags(cmd), outputFlag(cmd)
	cmd.Flags().StringVar(&f.caFile, "ca-file", "", "PEM file with the authority of the gateway's certificate; the node gets a copy")
	write := cmd.Flags().Bool("write", false, "write the files instead of printing them")
	force := cmd.Flags().Bool("force", false, "with --write: replace files that somebody else wrote, too")
	root := cmd.Flags().String("root", "", `folder that is the node's "/": its files are looked at, and with --write changed (default with --write: /)`)
	completeWith(cmd, "root", folders)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		runtime, err := nodeconfig.ParseRuntime(args[0])
		if err != nil {
			return usage(err)
		}
		if *force && !*write {
			return usage(errors.New("--force goes with --write"))
		}
		want, err := a.want(f)
		if err != nil {
			return err
		}
		node, err := a.node(*root, *write)
		if err != nil {
			return err
		}
		plan, err := nodeconfig.New(runtime, want, node)
		if err != nil {
			return usage(err)
		}
		if !*write {
			return a.printPlan(plan, output.format)
		}
		return a.writePlan(plan, node, want, *force, output.format)
	}
	return cmd
}

// node is the node whose "/" is root. Without root it is this machine when it is
// written to, and else a node without files.
func (a *app) node(root string, write bool) (nodeconfig.Node, error) {
	if root == "" && !write {
		return nodeconfig.Node{}, nil
	}
	if root == "" {
		root = "/"
	}
	node, err := nodeconfig.OpenNode(root)
	return node, asUsage(err)
}

// planned is a plan as data; its tables are the files themselves.
type planned nodeconfig.Plan

// Tables implements [report.Tabler]; the files of a plan are printed whole.
func (planned) Tables(bool) []report.Grid { return nil }

func (a *app) printPlan(plan nodeconfig.Plan, format report.Format) error {
	if format == report.JSON || format == report.YAML {
		return report.Write(a.stdout, format, planned(plan))
	}
	var b strings.Builder
	for i, f := range plan.Files {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# ---- %s (%s)\n%s", report.Escape(f.Path), f.Mode, f.Content)
	}
	if _, err := fmt.Fprint(a.stdout, b.String()); err != nil {
		return err
	}
	a.remarks(plan)
	return nil
}

// remarks prints what else to do and which ways round are left.
func (a *app) remarks(plan nodeconfig.Plan) {
	for _, each := range []struct {
		word  string
		lines []string
	}{{"note", plan.Notes}, {"way round left", plan.Left}} {
		for _, line := range each.lines {
			_, _ = fmt.Fprintf(a.stderr, "%s: %s\n", each.word, line)
		}
	}
}

// changes is what was written.
type changes struct {
	Changes []nodeconfig.Change  `json:"changes"`
	Left    []nodeconfig.Finding `json:"findings"`
}

// Tables implements [report.Tabler].
func (c changes) Tables(bool) []report.Grid {
	grid := report.Grid{}
	for _, each := range c.Changes {
		row := []string{each.Action, each.Path}
		if each.Backup != "" {
			row = append(row, "before: "+each.Backup)
		}
		grid.Rows = append(grid.Rows, row)
	}
	return append([]report.Grid{grid}, findingTables(c.Left)...)
}

func (a *app) writePlan(plan nodeconfig.Plan, node nodeconfig.Node, want nodeconfig.Want, force bool, format report.Format) error {
	written, err := plan.Write(node, force, time.Now())
	if errors.Is(err, nodeconfig.ErrForeign) {
		return usage(fmt.Errorf("%w\nlook at each, then use --force: what was there is kept beside it", err))
	}
	if err != nil {
		return usage(err)
	}
	examined, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{plan.Runtime})
	if err != nil {
		return usage(err)
	}
	result := changes{Changes: written, Left: []nodeconfig.Finding{}}
	for _, f := range examined.Findings {
		if f.Level != nodeconfig.Note {
			result.Left = append(result.Left, f)
		}
	}
	if err := report.Write(a.stdout, format, result); err != nil {
		return err
	}
	a.remarks(plan)
	if len(result.Left) > 0 {
		return exit(exitRefused)
	}
	return nil
}
