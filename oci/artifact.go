package oci

import "unicode/utf8"

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

// inertConfigs is the closed list of config types that no runtime takes for an
// image's. Any other may be: Docker's engine accepts several besides the image
// config, and cosign itself writes an image config.
var inertConfigs = map[string]bool{
	"application/vnd.oci.empty.v1+json":               true,
	"application/vnd.cncf.notary.signature":           true,
	"application/vnd.dev.cosign.artifact.sig.v1+json": true,
}

// IsArtifact reports whether a manifest of size bytes says of itself that it is a
// signature, attestation or SBOM: an image manifest with at least one layer, each
// layer's media type in a closed list and at most MaxArtifactBytes in all; or an
// index with at least one entry in which no entry has a platform and each has an
// artifact type. Tag names and the manifest's own artifact type never count,
// since whoever pushes chooses them freely. That goes for the types of layers
// too where a runtime unpacks them whatever they are called: see
// [Manifest.MustBeRead].
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

// MustBeRead reports whether an artifact could be started after all, so that its
// layers must be read before it counts as one. Podman, CRI-O and Docker unpack
// the layers of a manifest with an image config whatever media type they have
// (tried with Podman 4.3.1: a tar archive called a cosign signature runs), so
// only an OCI manifest whose config no runtime takes is settled by its manifest.
func (m Manifest) MustBeRead() bool {
	return m.Kind == KindImage && (m.MediaType != MediaTypeImageManifest || !inertConfigs[m.Config.MediaType])
}

// IsInert reports whether b is text, and so nothing that holds a program: valid
// UTF-8 without control characters but white space. Archives, compressed data
// and executables all have bytes that text has not.
func IsInert(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0
}
