package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"vouchsafe/config"
	"vouchsafe/oci"
)

// configDirFlag adds --config-dir to a command.
func configDirFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("config-dir", "",
		"folder of documents (VOUCHSAFE_CONFIG_DIR; default ./config.d)")
}

// settings reads the settings of the process with the folder that a flag names;
// an empty dir is no flag.
func (a *app) settings(dir string) (config.Settings, error) {
	flags := map[string]string{}
	if dir != "" {
		flags["config-dir"] = dir
	}
	settings, err := config.LoadSettings(a.environ, flags)
	return settings, asUsage(err)
}

// documents loads the folder as `serve` would at its start, a default folder
// that is missing included.
func (a *app) documents(settings config.Settings) (*config.Snapshot, error) {
	opts := config.LoadOptions{Settings: settings}
	snapshot, err := config.Load(settings.ConfigDir, opts)
	if errors.Is(err, fs.ErrNotExist) && !settings.ConfigDirNamed {
		snapshot, err = config.Empty(opts)
	}
	if err != nil {
		return nil, usage(err)
	}
	return snapshot, nil
}

// load reads settings and documents and prints the remarks about them.
func (a *app) load(dir string) (config.Settings, *config.Snapshot, error) {
	settings, err := a.settings(dir)
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

// images reads the names on a command line; "-" stands for names on stdin, one
// a line, empty lines left out.
func (a *app) images(args []string) ([]oci.Reference, error) {
	var refs []oci.Reference
	for _, arg := range args {
		names := []string{arg}
		if arg == "-" {
			var err error
			if names, err = lines(a.stdin); err != nil {
				return nil, usage(err)
			}
		}
		for _, name := range names {
			ref, err := oci.ParseReference(name)
			if err != nil {
				return nil, usage(err)
			}
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, usage(fmt.Errorf("no image was named"))
	}
	return refs, nil
}

func lines(r io.Reader) ([]string, error) {
	var all []string
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			all = append(all, line)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read names of images: %w", err)
	}
	return all, nil
}

// each calls ask for every image, a few at the same time, and returns what it
// returned in the order of the images. The exit code is the first that occurs of
// 2, 3, 1, 0.
func each[T any](ctx context.Context, refs []oci.Reference, ask func(context.Context, oci.Reference) (T, int)) (all []T, code int) {
	const atOnce = 8
	all = make([]T, len(refs))
	codes := make([]int, len(refs))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, ref := range refs {
		group.Go(func() error {
			all[i], codes[i] = ask(ctx, ref)
			return nil
		})
	}
	_ = group.Wait()
	for _, c := range codes {
		code = worse(code, c)
	}
	return all, code
}
