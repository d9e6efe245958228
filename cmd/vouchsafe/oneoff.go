package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vouchsafe/config"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// maxFile bounds a key, chain, trusted root or docker configuration that is read
// once.
const maxFile = 1 << 20

// oneOff makes a configuration of flags: the registries of the images, which may
// be private, and one integration of whom they trust, none when that is nobody.
func (a *app) oneOff(refs []oci.Reference, trusted *trustFlags, plainHTTP bool) (*config.Snapshot, error) {
	snapshot := &config.Snapshot{
		Revision: oneOffName, LoadedAt: time.Now(), Registries: map[string]*upstream.Registry{},
		Rules: policy.Rules{Revision: oneOffName, WhenNoPolicy: policy.Deny},
	}
	if trusted.someone() {
		in, err := trusted.integration(a.stderr)
		if err != nil {
			return nil, usage(err)
		}
		snapshot.Rules.Integrations = []*verify.Integration{in}
		snapshot.Integrations = map[string]*verify.Integration{oneOffName: in}
	}
	for _, ref := range refs {
		name := ref.Repository.Registry
		if _, made := snapshot.Registries[name]; made {
			continue
		}
		registry, err := a.oneOffRegistry(name, plainHTTP)
		if err != nil {
			return nil, usage(err)
		}
		snapshot.Registries[name] = registry
	}
	return snapshot, nil
}

// oneOffRegistry lists a registry for this run: as it is built in, else at its
// own name, with the user's docker login if there is one.
func (a *app) oneOffRegistry(name string, plainHTTP bool) (*upstream.Registry, error) {
	spec := upstream.Builtin()[name]
	spec.AllowPrivateAddresses = true
	spec.PlainHTTP = plainHTTP
	anonymous, err := upstream.NewRegistry(name, spec, nil)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", name, err)
	}
	path := a.dockerConfig()
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return anonymous, nil
	}
	spec.Credentials = &upstream.CredentialsSpec{DockerConfigFile: path}
	spec.Access = "Shared"
	registry, problems := upstream.NewRegistry(name, spec, func(string) ([]byte, error) { return text, err })
	if problems == nil {
		return registry, nil
	}
	// Nobody wrote this file for us: what it does not hold is no mistake.
	if !errors.Is(problems, upstream.ErrNoEntry) {
		for _, problem := range oci.FieldErrors(problems) {
			_, _ = fmt.Fprintf(a.stderr, "vouchsafe: %s %s: asking %s without a login; credential helpers are not executed\n", path, problem.Message, name)
		}
	}
	return anonymous, nil
}

// dockerConfig is where the docker client keeps the user's logins.
func (a *app) dockerConfig() string {
	dir := a.env("DOCKER_CONFIG")
	if dir == "" {
		dir = filepath.Join(a.env("HOME"), ".docker")
	}
	return filepath.Join(dir, "config.json")
}

// env returns a variable of the environment, the last of its name.
func (a *app) env(name string) string {
	value := ""
	for _, entry := range a.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// readFile reads a file that the user named, at most maxFile bytes.
func readFile(name string) ([]byte, error) {
	file, err := os.Open(name) //nolint:gosec // the user named the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than 1 MiB", name)
	}
	return text, err
}
