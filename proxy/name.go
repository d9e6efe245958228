package proxy

import (
	"fmt"
	"strings"

	"vouchsafe/oci"
)

// naming finds the origin of a name that a client used.
type naming struct {
	// fallback is the registry of names without one.
	fallback string
	// own is the gateway's own host, canonical; empty when not known.
	own string
	// listed reports whether a registry may be pulled from.
	listed func(registry string) bool
}

// repository returns the origin repository of a path and of the values of "ns",
// the mirror form of containerd and CRI-O; ns is that value, empty when there
// was none. Neither the path nor ns is trusted: whatever they name, the registry
// is listed or the answer is an error.
func (n naming) repository(path string, values []string) (repository oci.Repository, ns string, err error) {
	if path == "" {
		return repository, "", nameInvalid("no repository is named")
	}
	registry, rest, err := n.registry(path, values)
	if err != nil {
		return repository, "", err
	}
	if len(values) == 1 {
		ns = values[0]
	}
	if !n.listed(registry) {
		return repository, ns, &oci.Error{
			Code: oci.CodeNotListed, Message: fmt.Sprintf("no Registry document named %s", registry),
		}
	}
	if rest == "" {
		return repository, ns, nameInvalid("%.80q is a registry's name, and no repository follows it", path)
	}
	if repository, err = oci.NewRepository(registry, rest); err != nil {
		return oci.Repository{}, ns, &oci.Error{Code: oci.CodeNameInvalid, Message: err.Error()}
	}
	return repository, ns, nil
}

// registry returns the canonical registry and the path there. An ns wins over
// the path; one that names the gateway itself says nothing.
func (n naming) registry(path string, values []string) (registry, rest string, err error) {
	if len(values) > 1 {
		return "", "", nameInvalid("ns is given more than once")
	}
	if len(values) == 1 {
		registry, err := oci.CanonicalRegistry(values[0])
		if err != nil {
			return "", "", nameInvalid("ns: %s", err)
		}
		if n.own == "" || registry != n.own {
			return registry, path, nil
		}
	}
	registry, rest, named, err := oci.CutPathForm(path)
	switch {
	case err != nil:
		return "", "", nameInvalid("%s", err)
	case !named:
		return n.fallback, path, nil
	}
	return registry, rest, nil
}

// sameHost returns host in the form in which registries are compared.
func sameHost(host string) string {
	if canonical, err := oci.CanonicalRegistry(host); err == nil {
		return canonical
	}
	return strings.ToLower(host)
}
