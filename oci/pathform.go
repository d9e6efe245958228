package oci

import (
	"fmt"
	"strings"
)

// PathForm returns the path under which a gateway has the repository: the
// registry's name as the first element, with "_" for the colon before its port,
// such as "registry.acme.com_5000/team/app". It reports false for a registry that
// no path can name: an IPv6 address, or none at all.
func (r Repository) PathForm() (path string, ok bool) {
	if r.Registry == "" || r.Path == "" || strings.Contains(r.Registry, "[") {
		return "", false
	}
	return strings.Replace(r.Registry, ":", "_", 1) + "/" + r.Path, true
}

// CutPathForm is the way back: it cuts a path below a gateway's host into the
// registry that its first element names, canonical, and the rest, which may be
// empty. named is false for a path that names no registry; then all of it is the
// rest. A first element with a dot or a port is never part of a repository, not
// even when it is malformed: then the error says what is wrong with it, since a
// mistyped registry must not quietly become another one's repository.
func CutPathForm(path string) (registry, rest string, named bool, err error) {
	first, rest, _ := strings.Cut(path, "/")
	name, is := registryElement(first)
	if !is {
		return "", path, false, nil
	}
	if strings.Contains(first, ":") {
		return "", "", true, fmt.Errorf("%.80q: a port's colon is written \"_\"", first)
	}
	if strings.ToLower(first) != first {
		return "", "", true, fmt.Errorf("%.80q is not lower case", first)
	}
	registry, err = CanonicalRegistry(name)
	if err != nil {
		return "", "", true, err
	}
	return registry, rest, true, nil
}

// registryElement reports whether the first element of a path is a registry's
// name, and which.
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
