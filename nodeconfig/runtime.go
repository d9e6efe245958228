package nodeconfig

import (
	"fmt"
	"slices"
	"strings"
)

// Runtime is a container runtime whose files are known. The zero value is none.
type Runtime uint8

const (
	// Containerd is containerd 1.6 to 2.x, pulling through its CRI.
	Containerd Runtime = iota + 1
	// CRIO is CRI-O.
	CRIO
	// Podman is Podman, Buildah and Skopeo.
	Podman
	// Docker is the Docker engine.
	Docker
	// K3s is k3s with its own containerd, and RKE2, which is made of it.
	K3s
)

// RuntimeNames are the names that [ParseRuntime] reads, in the order of the
// constants.
var RuntimeNames = []string{"containerd", "crio", "podman", "docker", "k3s"}

// ParseRuntime reads the name of a runtime.
func ParseRuntime(s string) (Runtime, error) {
	for i, name := range RuntimeNames {
		if s == name {
			return Runtime(i + 1), nil
		}
	}
	return 0, fmt.Errorf("%.40q is no runtime that is known: one of %s", s, strings.Join(RuntimeNames, ", "))
}

// Runtimes returns all of them.
func Runtimes() []Runtime { return []Runtime{Containerd, CRIO, Podman, Docker, K3s} }

// String returns the name that [ParseRuntime] reads, or "none".
func (r Runtime) String() string {
	if r == 0 || int(r) > len(RuntimeNames) {
		return "none"
	}
	return RuntimeNames[r-1]
}

// MarshalText implements [encoding.TextMarshaler].
func (r Runtime) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// signs are the files and folders that show that a runtime is on a node.
var signs = map[Runtime][]string{
	Containerd: {"/etc/containerd", "/usr/bin/containerd", "/usr/local/bin/containerd"},
	CRIO:       {"/etc/crio", "/usr/bin/crio", "/usr/local/bin/crio"},
	Podman: {
		"/etc/containers/registries.conf", "/etc/containers/registries.conf.d", "/etc/containers/policy.json",
		"/usr/bin/podman", "/usr/bin/skopeo", "/usr/bin/buildah",
	},
	Docker: {"/etc/docker/daemon.json", "/usr/bin/dockerd", "/usr/sbin/dockerd"},
	K3s:    append(slices.Clone(distributions[0].signs), distributions[1].signs...),
}

// Signs returns what shows that a runtime is on a node, sorted by runtime.
func Signs() []string {
	var all []string
	for _, r := range Runtimes() {
		all = append(all, signs[r]...)
	}
	return all
}

// Detect returns the runtimes that are on the node.
func Detect(node Node) ([]Runtime, error) {
	var found []Runtime
	for _, r := range Runtimes() {
		for _, sign := range signs[r] {
			there, err := node.exists(sign)
			if err != nil {
				return nil, err
			}
			if there {
				found = append(found, r)
				break
			}
		}
	}
	return found, nil
}
