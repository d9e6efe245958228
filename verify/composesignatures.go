package verify

import (
	"fmt"
	"strings"

	"vouchsafe/oci"
)

// signatureRepository composes spec.signatureRepository; zero is none.
func (c *composer) signatureRepository() oci.Repository {
	const path = "spec.signatureRepository"
	text := c.spec.SignatureRepository
	switch {
	case text == "":
		return oci.Repository{}
	case strings.Contains(text, "*"):
		c.mistake(path, fmt.Sprintf("%.80q: one repository holds the signatures of all images, so nothing is a wildcard here", text), "")
		return oci.Repository{}
	case !strings.Contains(text, "/"):
		c.mistake(path, fmt.Sprintf("%.80q is no repository", text), "write registry/repository, such as registry.acme.com/signatures")
		return oci.Repository{}
	}
	name, _, ok := c.repositoryName(path, text)
	if !ok {
		return oci.Repository{}
	}
	registry, repository, _ := strings.Cut(name, "/")
	return oci.Repository{Registry: registry, Path: repository}
}
