package config

import (
	"regexp"
	"strings"

	"vouchsafe/oci"
)

// maxNameBytes bounds names, which become labels of metrics.
const maxNameBytes = 63

// plainName is the grammar of the names of integrations and policies (RFC 1123,
// section 2.1, as Kubernetes reads it).
var plainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

var notInName = regexp.MustCompile(`[^a-z0-9.]+`)

// canonicalName checks metadata.name of a document of kind. message is empty
// when the name is good.
func canonicalName(kind, name string) (canonical, message, hint string) {
	if kind == KindRegistry {
		return registryName(name)
	}
	if plainName.MatchString(name) && len(name) <= maxNameBytes {
		return name, "", ""
	}
	message = quoted(name) + ` is not a name: at most 63 lower case letters, digits, "-" and ".", the first and last a letter or digit`
	better := strings.Trim(notInName.ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if plainName.MatchString(better) && len(better) <= maxNameBytes {
		hint = "write " + better
	}
	return "", message, hint
}

// registryName checks the name of a registry, which people write in image names.
func registryName(name string) (canonical, message, hint string) {
	if _, rest, found := strings.Cut(name, "://"); found {
		host, _, _ := strings.Cut(rest, "/")
		return "", quoted(name) + " is a URL, wanted a registry as in image names", "write " + host + "; a URL goes into spec.endpoint"
	}
	if host, _, found := strings.Cut(name, "/"); found {
		return "", quoted(name) + " has a path, wanted a registry as in image names", "write " + host
	}
	canonical, err := oci.CanonicalRegistry(name)
	if err != nil {
		return "", err.Error(), "write it as in image names, such as registry.example.com or registry.example.com:5000"
	}
	if canonical == oci.DockerHub && name != oci.DockerHub {
		return "", quoted(name) + " is an alias of docker.io", "write docker.io"
	}
	return canonical, "", ""
}
