package oci

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// DockerHub is the canonical name of Docker Hub's registry.
const DockerHub = "docker.io"

// MaxNameBytes bounds a repository's path (OCI distribution specification 1.1,
// "Pulling manifests": many clients stop at 255 for registry and path together).
const MaxNameBytes = 255

// Repository is a repository at its origin: a canonical registry name and a
// path. It is comparable. Policies match it and people see it; the gateway's
// own host never appears in one.
type Repository struct {
	// Registry is canonical: lower case, no default port, no alias.
	Registry string
	// Path is the repository's path without registry, such as "library/nginx".
	Path string
}

// String returns "registry/path".
func (r Repository) String() string { return r.Registry + "/" + r.Path }

// Reference names an image at its origin by tag, by digest or by both.
type Reference struct {
	Repository Repository
	// Tag may be empty.
	Tag string
	// Digest may be zero.
	Digest Digest
}

// String returns "registry/path[:tag][@digest]".
func (r Reference) String() string {
	s := r.Repository.String()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if !r.Digest.IsZero() {
		s += "@" + r.Digest.String()
	}
	return s
}

// WithDigest returns r with its digest replaced.
func (r Reference) WithDigest(d Digest) Reference {
	r.Digest = d
	return r
}

// MarshalText implements [encoding.TextMarshaler].
func (r Reference) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText implements [encoding.TextMarshaler].
func (r Repository) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// CanonicalRegistry returns the one name by which a registry is known here: the
// host in lower case, IPv6 addresses in their shortest form, the ports 443 and 80
// dropped, Docker Hub's aliases (index.docker.io, registry-1.docker.io,
// registry.hub.docker.com) read as docker.io. A name that is no "host" or
// "host:port" is an error, and so is a bare word other than localhost: in an
// image name it would be the first part of a path. A bare word keeps any port.
func CanonicalRegistry(name string) (string, error) {
	parts := domain.FindStringSubmatch(name)
	if parts == nil {
		return "", fmt.Errorf("%.80q is not a registry host", name)
	}
	// Only now: some letters outside ASCII have lower-case forms inside it.
	host, port := strings.ToLower(parts[1]), parts[2]
	if strings.HasPrefix(host, "[") {
		address, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || address.Is4In6() {
			return "", fmt.Errorf("%.80q is not a registry host", name)
		}
		host = "[" + address.String() + "]"
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return "", fmt.Errorf("%.80q has no usable port", name)
		}
	}
	bare := host != "localhost" && !strings.ContainsAny(host, ".:")
	switch {
	case bare && port == "":
		return "", fmt.Errorf("%.80q has neither a dot nor a port, so image names cannot name it", name)
	case port != "" && (bare || port != "443" && port != "80"):
		return host + ":" + port, nil
	}
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return DockerHub, nil
	}
	return host, nil
}

// CheckPath reports why path is not a repository's path.
func CheckPath(path string) error {
	if len(path) > MaxNameBytes {
		return fmt.Errorf("repository name is longer than %d characters", MaxNameBytes)
	}
	for element := range strings.SplitSeq(path, "/") {
		if !pathElement.MatchString(element) {
			return fmt.Errorf("%.80q is not a repository name: lower case letters and digits, separated by '.', '_', '__' or '-', in parts joined by '/'", path)
		}
	}
	return nil
}

// CheckTag reports why tag is not a tag.
func CheckTag(tag string) error {
	if !wholeTag.MatchString(tag) {
		return fmt.Errorf("%.140q is not a tag: at most 128 of letters, digits, '_', '.' and '-', the first no '.' or '-'", tag)
	}
	return nil
}

// NewRepository returns the repository path at registry, both checked. A path
// of one element at Docker Hub gets "library/" before it.
func NewRepository(registry, path string) (Repository, error) {
	canonical, err := CanonicalRegistry(registry)
	if err != nil {
		return Repository{}, err
	}
	if canonical == DockerHub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	if err := CheckPath(path); err != nil {
		return Repository{}, err
	}
	if len(canonical)+1+len(path) > MaxNameBytes {
		return Repository{}, fmt.Errorf("image name is longer than %d characters", MaxNameBytes)
	}
	return Repository{Registry: canonical, Path: path}, nil
}

// ParseReference reads an image name as people write it: "nginx",
// "acme/api:1.4", "registry.acme.com:5000/app@sha256:…". Without a registry it
// is at Docker Hub; with neither tag nor digest the tag is "latest".
func ParseReference(s string) (Reference, error) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Reference{}, fmt.Errorf("%.200q is not an image name: %w", s, err)
	}
	repository, err := NewRepository(reference.Domain(named), reference.Path(named))
	if err != nil {
		return Reference{}, err
	}
	ref := Reference{Repository: repository}
	if digested, ok := named.(reference.Digested); ok {
		if ref.Digest, err = ParseDigest(digested.Digest().String()); err != nil {
			return Reference{}, err
		}
	} else {
		named = reference.TagNameOnly(named)
	}
	if tagged, ok := named.(reference.Tagged); ok {
		ref.Tag = tagged.Tag()
	}
	return ref, nil
}

// label is one part of a host name.
const label = `[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?`

// Each expression is anchored: a match of a part is no match.
var (
	// domain is a host, as distribution's reference grammar has it, and a port.
	domain = regexp.MustCompile(`^(` + label + `(?:\.` + label + `)*|\[[a-fA-F0-9:]+\])(?::([0-9]{1,5}))?$`)
	// pathElement is one part of a repository's path (OCI distribution
	// specification 1.1, "Pulling manifests").
	pathElement = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)
	// wholeTag is a tag (the same heading).
	wholeTag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)
