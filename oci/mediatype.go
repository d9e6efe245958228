package oci

// Media types of manifests, indexes and of what they hold (OCI image
// specification 1.1, "Media Types"; Docker image manifest version 2, schema 2).
const (
	MediaTypeImageManifest      = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeImageIndex         = "application/vnd.oci.image.index.v1+json"
	MediaTypeDockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"

	// MediaTypeSimpleSigning is a layer of a cosign signature image.
	MediaTypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	// BundleMediaTypePrefix begins every version of a Sigstore bundle's type.
	BundleMediaTypePrefix = "application/vnd.dev.sigstore.bundle"
)

// ManifestMediaTypes is the gateway's own Accept list, best first. Docker
// schema 1 is not in it: it has no content-addressed layers.
var ManifestMediaTypes = []string{
	MediaTypeImageIndex, MediaTypeImageManifest, MediaTypeDockerManifestList, MediaTypeDockerManifest,
}
