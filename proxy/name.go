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
	first, rest, _ := strings.Cut(path, "/")
	name, is := registryElement(first)
	if !is {
		return n.fallback, path, nil
	}
	if strings.Contains(first, ":") {
		return "", "", nameInvalid("%.80q: a port's colon is written \"_\"", first)
	}
	if strings.ToLower(first) != first {
		return "", "", nameInvalid("%.80q is not lower case", first)
	}
	registry, err = oci.CanonicalRegistry(name)
	if err != nil {
		return "", "", nameInvalid("%s", err)
	}
	return registry, rest, nil
}

// registryElement reports whether the first element of a path is a registry's
// name, and which. One with a dot or a port is never part of a repository at the
// default registry, not even when it is malformed: a mistyped registry must not
// quietly become another one's repository.
func registryElement(element string) (name string, is bool) {
	host, port, ported := cutPort(element)
	switch {
	case strings.Contains(element, ":"):
		return element, true // a mistake that is worth its own message
	case ported:
		return host + ":" + port, true
	case element == "localhost", strings.Contains(element, "."):
		return element, true
	}
	return "", false
}

// cutPort cuts "_<digits>" off the end of an element.
func cutPort(element string) (host, port string, found bool) {
	at := strings.LastIndexByte(element, '_')
	if at <= 0 || at == len(element)-1 {
		return "", "", false
	}
	port = element[at+1:]
	if strings.Trim(port, "0123456789") != "" {
		return "", "", false
	}
	return element[:at], port, true
}

// sameHost returns host in the form in which registries are compared.
func sameHost(host string) string {
	if canonical, err := oci.CanonicalRegistry(host); err == nil {
		return canonical
	}
	return strings.ToLower(host)
}
