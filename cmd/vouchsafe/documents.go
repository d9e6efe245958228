package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/spf13/cobra"

	"vouchsafe/config"
	"vouchsafe/verify"
)

// configDirFlag adds --config-dir to a command.
func configDirFlag(cmd *cobra.Command) *string {
	dir := cmd.Flags().String("config-dir", "",
		"folder of documents (VOUCHSAFE_CONFIG_DIR; default ./config.d)")
	completeWith(cmd, "config-dir", folders)
	return dir
}

// settings reads the settings of the process with the folder that a flag names
// and what other flags say; an empty dir is no flag, and more may be nil.
func (a *app) settings(dir string, more map[string]string) (config.Settings, error) {
	flags := map[string]string{}
	maps.Copy(flags, more)
	if dir != "" {
		flags["config-dir"] = dir
	}
	settings, err := config.LoadSettings(a.environ, flags)
	return settings, asUsage(err)
}

// documents loads the folder as `serve` would at its start, a default folder
// that is missing included.
func (a *app) documents(settings config.Settings) (*config.Snapshot, error) {
	return a.documentsWith(settings, keptMirrors(settings))
}

// documentsWith is documents with the trusted roots of TUF mirrors.
func (a *app) documentsWith(settings config.Settings, mirrors *verify.Mirrors) (*config.Snapshot, error) {
	opts := config.LoadOptions{Settings: settings, Mirrors: mirrors}
	snapshot, err := config.Load(settings.ConfigDir, opts)
	if errors.Is(err, fs.ErrNotExist) && !settings.ConfigDirNamed {
		snapshot, err = config.Empty(opts)
	}
	if err != nil {
		return nil, usage(err)
	}
	return snapshot, nil
}

// load reads settings, with what flags say, and documents, and prints the remarks
// about them.
func (a *app) load(dir string, flags map[string]string) (config.Settings, *config.Snapshot, error) {
	settings, err := a.settings(dir, flags)
	if err != nil {
		return config.Settings{}, nil, err
	}
	snapshot, err := a.documents(settings)
	if err != nil {
		return config.Settings{}, nil, err
	}
	a.warn(snapshot)
	return settings, snapshot, nil
}

// warn prints the remarks that did not keep the documents from loading.
func (a *app) warn(snapshot *config.Snapshot) {
	if len(snapshot.Warnings) > 0 {
		_, _ = fmt.Fprintln(a.stderr, config.Problems(snapshot.Warnings).Error())
	}
}

// asUsage marks a non-nil err as the caller's mistake.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usage(err)
}
