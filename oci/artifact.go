package oci

// artifactLayers is the closed list of what signing, attesting and SBOM tools
// store as layers. No type that a runtime unpacks may ever be in it, and none
// is matched by its beginning, end or parameters.
var artifactLayers = map[string]bool{
	MediaTypeSimpleSigning: true,

	BundleMediaTypePrefix + ".v0.1+json":        true,
	BundleMediaTypePrefix + ".v0.2+json":        true,
	BundleMediaTypePrefix + ".v0.3+json":        true,
	BundleMediaTypePrefix + "+json;version=0.1": true,
	BundleMediaTypePrefix + "+json;version=0.2": true,
	BundleMediaTypePrefix + "+json;version=0.3": true,
	"application/vnd.dsse.envelope.v1+json":     true,
	"application/vnd.in-toto+json":              true,
	"application/jose+json":                     true,
	"application/cose":                          true,
	"text/spdx":                                 true,
	"text/spdx+xml":                             true,
	"text/spdx+json":                            true,
	"application/spdx+json":                     true,
	"application/vnd.cyclonedx":                 true,
	"application/vnd.cyclonedx+json":            true,
	"application/vnd.cyclonedx+xml":             true,
	"application/vnd.syft+json":                 true,
}

// IsArtifact reports whether a manifest of size bytes is, by its content alone,
// a signature, attestation or SBOM that no runtime can start: an image manifest
// with at least one layer, each layer's media type in a closed list and at most
// MaxArtifactBytes in all; or an index with at least one entry in which no entry
// has a platform and each has an artifact type. Tag names, the manifest's own
// artifact type and its config never count, since whoever pushes chooses them
// freely.
func (m Manifest) IsArtifact(size int) bool {
	switch m.Kind {
	case KindImage:
		return len(m.Layers) > 0 && m.layersAreArtifacts(int64(size))
	case KindIndex:
		for _, d := range m.Manifests {
			if d.Platform != nil || d.ArtifactType == "" {
				return false
			}
		}
		return len(m.Manifests) > 0
	}
	return false
}

// layersAreArtifacts compares what is left of the limit with each layer, since
// a sum of declared sizes could overflow.
func (m Manifest) layersAreArtifacts(size int64) bool {
	left := MaxArtifactBytes - size
	for _, d := range m.Layers {
		if !artifactLayers[d.MediaType] || d.Size < 0 || d.Size > left {
			return false
		}
		left -= d.Size
	}
	return left >= 0
}
