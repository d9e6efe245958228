package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"vouchsafe/nodeconfig"
)

// maxAuthority is how much of the file of --ca-file is read, in bytes.
const maxAuthority = 1 << 20

// nodeFlags say how a node is meant to pull.
type nodeFlags struct {
	gateway, caFile, configDir string
	registries, bootstrap      []string
}

func addNodeFlags(cmd *cobra.Command) *nodeFlags {
	f := &nodeFlags{}
	flags := cmd.Flags()
	flags.StringVar(&f.gateway, "gateway", "", "URL by which the node reaches the gateway, such as http://127.0.0.1:5000 (required)")
	flags.StringArrayVar(&f.registries, "registry", nil, "registry that is pulled from through the gateway, port included; repeatable (default: those of the documents)")
	flags.StringArrayVar(&f.bootstrap, "bootstrap-registry", nil, "registry that the node goes on asking directly, such as the one of the gateway's own image; repeatable")
	flags.StringVar(&f.configDir, "config-dir", "", "folder of documents whose registries are meant (VOUCHSAFE_CONFIG_DIR; default ./config.d)")
	completeWith(cmd, "config-dir", folders)
	for _, name := range []string{"gateway", "registry", "bootstrap-registry"} {
		complete(cmd, name)
	}
	return f
}

// want reads the flags, and the documents when no registry was named.
func (a *app) want(f *nodeFlags) (nodeconfig.Want, error) {
	if f.gateway == "" {
		return nodeconfig.Want{}, usage(errors.New("--gateway is needed: the URL by which the node reaches the gateway, such as http://127.0.0.1:5000"))
	}
	if len(f.registries) > 0 && f.configDir != "" {
		return nodeconfig.Want{}, usage(errors.New("--registry and --config-dir: the registries come from one of them"))
	}
	request := nodeconfig.Request{Gateway: f.gateway, Registries: f.registries, OwnFolders: len(f.registries) > 0, Bootstrap: f.bootstrap}
	if len(f.registries) == 0 {
		settings, err := a.settings(f.configDir, nil)
		if err != nil {
			return nodeconfig.Want{}, err
		}
		snapshot, err := a.documents(settings)
		if err != nil {
			return nodeconfig.Want{}, err
		}
		request.Registries = slices.Collect(maps.Keys(snapshot.Registries))
	}
	if f.caFile != "" {
		file, err := os.Open(f.caFile)
		if err != nil {
			return nodeconfig.Want{}, usage(fmt.Errorf("--ca-file: %w", err))
		}
		defer file.Close() //nolint:errcheck // it was only read
		if request.Authority, err = io.ReadAll(io.LimitReader(file, maxAuthority+1)); err != nil {
			return nodeconfig.Want{}, usage(fmt.Errorf("--ca-file: %w", err))
		}
		if len(request.Authority) == 0 || len(request.Authority) > maxAuthority {
			return nodeconfig.Want{}, usage(fmt.Errorf("--ca-file %s: empty, or more than %d bytes", f.caFile, maxAuthority))
		}
	}
	want, err := nodeconfig.NewWant(request)
	return want, asUsage(err)
}
