package oci

import (
	"fmt"
	"net/netip"
	"regexp"
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
// host in lower case, the ports 443 and 80 dropped, Docker Hub's aliases
// (index.docker.io, registry-1.docker.io) read as docker.io. A name that is no
// "host" or "host:port" is an error.
func CanonicalRegistry(name string) (string, error) {
	host := strings.ToLower(name)
	if !reference.DomainRegexp.MatchString(host) || reference.DomainRegexp.FindString(host) != host {
		return "", fmt.Errorf("%.80q is not a registry host", name)
	}
	if at := strings.LastIndexByte(host, ':'); at > 0 && !strings.HasSuffix(host, "]") {
		port := host[at+1:]
		if port == "443" || port == "80" {
			host = host[:at]
		} else if len(port) > 5 || port == "" || strings.TrimLeft(port, "0") == "" {
			return "", fmt.Errorf("%.80q has no usable port", name)
		}
	}
	if strings.HasPrefix(host, "[") {
		inside, _, _ := strings.Cut(host[1:], "]")
		if _, err := netip.ParseAddr(inside); err != nil {
			return "", fmt.Errorf("%.80q is not a registry host", name)
		}
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
		if element == "" || pathElement.FindString(element) != element {
			return fmt.Errorf("%.80q is not a repository name: lower case letters and digits, separated by '.', '_', '__' or '-', in parts joined by '/'", path)
		}
	}
	return nil
}

// CheckTag reports why tag is not a tag.
func CheckTag(tag string) error {
	if reference.TagRegexp.FindString(tag) != tag || tag == "" {
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
	named, err := reference.ParseDockerRef(s)
	if err != nil {
		return Reference{}, fmt.Errorf("%.200q is not an image name: %w", s, err)
	}
	repository, err := NewRepository(reference.Domain(named), reference.Path(named))
	if err != nil {
		return Reference{}, err
	}
	ref := Reference{Repository: repository}
	if tagged, ok := named.(reference.Tagged); ok {
		ref.Tag = tagged.Tag()
	}
	// ParseDockerRef drops the tag of name:tag@digest, which then only the
	// text still has.
	if digested, ok := named.(reference.Digested); ok {
		if ref.Digest, err = ParseDigest(digested.Digest().String()); err != nil {
			return Reference{}, err
		}
		if loose, err := reference.ParseNormalizedNamed(s); err == nil {
			if tagged, ok := loose.(reference.Tagged); ok {
				ref.Tag = tagged.Tag()
			}
		}
	}
	return ref, nil
}

// pathElement is one part of a repository's path (OCI distribution
// specification 1.1, "Pulling manifests").
var pathElement = regexp.MustCompile(`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`)
