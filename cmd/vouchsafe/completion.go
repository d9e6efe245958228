package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vouchsafe/config"
)

// shells are those for which there is a script.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes command lines in a shell",
		Long: `Print a script that completes commands, flags and their values in a shell. Completing asks no registry;
the names of integrations come from the documents.`,
		Example: `  source <(vouchsafe completion bash)          # needs the package bash-completion
  vouchsafe completion zsh > "${fpath[1]}/_vouchsafe"
  vouchsafe completion fish > ~/.config/fish/completions/vouchsafe.fish
  vouchsafe completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args:      oneShell,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				err = root.GenZshCompletion(a.stdout)
			case "fish":
				err = root.GenFishCompletion(a.stdout, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			if err != nil {
				return &exitError{code: exitUnknown, err: err}
			}
			return nil
		},
	}
}

// oneShell wants the name of a shell that there is a script for.
func oneShell(_ *cobra.Command, args []string) error {
	known := strings.Join(shells, ", ")
	switch {
	case len(args) == 0:
		return usage(fmt.Errorf("no shell was named: one of %s", known))
	case !slices.Contains(shells, args[0]):
		return usage(fmt.Errorf("there is no script for %.40q: one of %s", args[0], known))
	case len(args) > 1:
		return usage(fmt.Errorf("%d shells were named, wanted one", len(args)))
	}
	return nil
}

// complete sets what may stand behind a flag. Only a flag that is not there is an
// error, which a test would meet at once.
func complete(cmd *cobra.Command, flag string, values ...string) {
	completeWith(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func completeWith(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // A flag that is not there, or twice.
	}
}

// completeIntegrations completes --integration from the documents. Documents that
// do not load complete nothing: an error would stand in the command line.
func (a *app) completeIntegrations(cmd *cobra.Command, configDir *string) {
	completeWith(cmd, "integration", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		settings, err := a.settings(*configDir, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		snapshot, err := a.documents(settings)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for name := range snapshot.Integrations {
			names = append(names, name)
		}
		slices.Sort(names)
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// settingValues are the values of settings that are a closed set or a few words.
var settingValues = map[string][]string{
	"KNOWN_REGISTRIES": {"Builtin", "None"},
	"WHEN_NO_POLICY":   {"Allow", "Deny"},
	"AUDIT":            {"stdout", "file:", "off"},
	"LOG_LEVEL":        {"debug", "info", "warn", "error"},
	"LOG_FORMAT":       {"text", "json"},
}

// completeSettings completes the values of the flags of settings.
func completeSettings(cmd *cobra.Command) {
	for _, doc := range config.SettingDocs() {
		switch values := settingValues[doc.Name]; {
		case len(values) > 0:
			complete(cmd, doc.Flag, values...)
		case doc.Bool:
			complete(cmd, doc.Flag, "true", "false")
		}
	}
}

// noNames completes no file names where names of images stand.
func noNames(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// folders completes names of folders.
func folders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
