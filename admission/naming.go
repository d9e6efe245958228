package admission

import (
	"errors"
	"fmt"
	"strings"

	"vouchsafe/oci"
)

// naming finds the origins of image names and rewrites them.
type naming struct {
	// host is PULL_HOST as it was set, own the same canonical; both empty when it
	// is not set.
	host, own string
	// fallback is the registry of names below host that name none.
	fallback string
}

func newNaming(host, fallback string) naming {
	if fallback == "" {
		fallback = oci.DockerHub
	}
	return naming{host: host, own: canonical(host), fallback: canonical(fallback)}
}

// canonical returns host in the form in which registries are compared.
func canonical(host string) string {
	if name, err := oci.CanonicalRegistry(host); err == nil {
		return name
	}
	return strings.ToLower(host)
}

var errImageID = errors.New("the id of an image on a node is no image name")

// origin returns the image that a name means, and whether the name is one of the
// gateway's own, which leads through it.
func (n naming) origin(name string) (ref oci.Reference, through bool, err error) {
	// A runtime takes this for the id of an image that the node already has, by
	// whomever it was brought there, and asks nobody. Read as a name it would be a
	// tag of docker.io/library/sha256.
	if !strings.Contains(name, "/") && (strings.HasPrefix(name, "sha256:") || strings.HasPrefix(name, "sha512:")) {
		return oci.Reference{}, false, errImageID
	}
	ref, err = oci.ParseReference(name)
	if err != nil || n.own == "" || ref.Repository.Registry != n.own {
		return ref, false, err
	}
	registry, rest, named, err := oci.CutPathForm(ref.Repository.Path)
	if err != nil {
		return oci.Reference{}, true, err
	}
	if !named {
		registry = n.fallback
	}
	if ref.Repository, err = oci.NewRepository(registry, rest); err != nil {
		return oci.Reference{}, true, fmt.Errorf("behind %s: %w", n.host, err)
	}
	return ref, true, nil
}

// rewrite returns the name that leads through the gateway. It reports false when
// there is none.
func (n naming) rewrite(ref oci.Reference) (string, bool) {
	path, ok := ref.Repository.PathForm()
	if !ok || n.host == "" || len(n.host)+1+len(path) > oci.MaxNameBytes {
		return "", false
	}
	name := n.host + "/" + path
	if ref.Tag != "" {
		name += ":" + ref.Tag
	}
	if !ref.Digest.IsZero() {
		name += "@" + ref.Digest.String()
	}
	return name, true
}
