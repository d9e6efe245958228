package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vouchsafe/config"
	"vouchsafe/internal/report"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Validate, describe and show documents", Args: noSuchCommand, RunE: needsSubcommand,
	}
	cmd.AddCommand(a.configValidateCommand(), a.configSchemaCommand(), a.configShowCommand())
	return cmd
}

func (a *app) configValidateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Print every mistake of the documents with file, line and caret",
		Long: `Load the documents as serve would, ask no registry, and print every mistake with file, line and caret.

Exit codes: 0 they load, 2 they do not.`,
		Args: folderByFlag,
	}
	dir := configDirFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		_, snapshot, err := a.load(*dir, nil)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s, %s, %s: valid, revision %s\n",
			count(len(snapshot.Rules.Policies), "policy", "policies"),
			count(len(snapshot.Rules.Integrations), "integration", "integrations"),
			count(len(snapshot.Registries), "registry", "registries"), snapshot.Revision)
		return err
	}
	return cmd
}

// folderByFlag refuses a folder that stands where no argument belongs.
func folderByFlag(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Errorf("%s takes no argument: the folder goes with --config-dir, as in %[1]s --config-dir %s", cmd.CommandPath(), args[0]))
}

// count is n with the word that goes with it.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

func (a *app) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a document, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(schema)
			return err
		},
	}
}

func (a *app) configShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the documents in effect, defaults filled in and built-in ones marked",
		Args:  folderByFlag,
	}
	dir, output := configDirFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		_, snapshot, err := a.load(*dir, nil)
		if err != nil {
			return err
		}
		if output.format == report.JSON || output.format == report.YAML {
			return config.Show(a.stdout, snapshot, output.format.String())
		}
		return report.Write(a.stdout, output.format, shown(config.NewView(snapshot)))
	}
	return cmd
}

// shown is a configuration as a table: a line for each document.
type shown config.View

// Tables implements [report.Tabler].
func (v shown) Tables(wide bool) []report.Grid {
	grid := report.Grid{Head: []string{"KIND", "NAME", "SOURCE"}}
	if wide {
		grid.Head = append(grid.Head, "REVISION")
	}
	for _, d := range v.Documents {
		row := []string{d.Kind, d.Name, d.Source}
		if wide {
			row = append(row, d.Revision)
		}
		grid.Rows = append(grid.Rows, row)
	}
	return []report.Grid{{Rows: [][]string{
		{"revision", v.Revision}, {"without a policy", v.WhenNoPolicy},
	}}, grid}
}
