package oci

// Limits of what a manifest may hold.
const (
	// MaxManifestBytes is the most that a manifest or index may have.
	MaxManifestBytes = 4 << 20
	// MaxManifestDepth is how deep JSON may nest in a manifest.
	MaxManifestDepth = 32
	// MaxIndexManifests is the most entries of an index.
	MaxIndexManifests = 1000
	// MaxLayers is the most layers of an image manifest.
	MaxLayers = 1000
	// MaxArtifactBytes is the most that a signature artifact may have, its
	// manifest and the declared sizes of its layers together.
	MaxArtifactBytes = 32 << 20
)

// Kind says what a manifest is. The zero value is neither.
type Kind uint8

const (
	// KindImage has a config and layers.
	KindImage Kind = iota + 1
	// KindIndex lists manifests.
	KindIndex
)

// String returns "image", "index" or "invalid".
func (k Kind) String() string {
	switch k {
	case KindImage:
		return "image"
	case KindIndex:
		return "index"
	}
	return "invalid"
}

// Platform is where an image runs (OCI image specification 1.1, "Image Index").
type Platform struct {
	OS, Architecture, Variant string
}

// Descriptor points at content (OCI image specification 1.1, "Descriptors").
type Descriptor struct {
	MediaType    string
	Digest       Digest
	Size         int64
	ArtifactType string
	// Platform is nil when the entry has none.
	Platform    *Platform
	Annotations map[string]string
}

// Manifest is the strict reading of an image manifest or an index.
type Manifest struct {
	Kind         Kind
	MediaType    string
	ArtifactType string
	// Config is set for KindImage.
	Config Descriptor
	// Layers is for KindImage.
	Layers []Descriptor
	// Manifests is for KindIndex.
	Manifests []Descriptor
	// Subject is nil when the manifest refers to nothing.
	Subject     *Descriptor
	Annotations map[string]string
}

// ParseManifest reads b, which a registry sent with contentType (may be empty,
// parameters are ignored), so strictly that no two programs can read two
// different things in it. It refuses with an [Error] of CodeManifestInvalid
// whose Reason is one of the words below.
//
//	too_large        over MaxManifestBytes
//	not_json         no JSON object, bad UTF-8, a byte order mark
//	trailing_data    anything but white space behind the object
//	too_deep         nests deeper than MaxManifestDepth
//	duplicate_key    a key twice in one object, at any level, also by letter case
//	ambiguous        manifests beside layers or config
//	unknown_type     a media type that is neither manifest nor index, or none to be found
//	type_mismatch    the media type inside, Content-Type and shape contradict each other
//	schema           a schemaVersion other than 2, a field of the wrong JSON type, a missing one
//	bad_descriptor   a digest, size or media type that is not one
//	too_many         more entries than MaxIndexManifests or MaxLayers
func ParseManifest(b []byte, contentType string) (Manifest, error) {
	panic("not built yet")
}

// IsArtifact reports whether a manifest of size bytes is, by its content alone,
// a signature, attestation or SBOM that no runtime can start: an image manifest
// with at least one layer, each layer's media type in a closed list and at most
// MaxArtifactBytes in all; or an index with at least one entry in which no entry
// has a platform and each has an artifact type. Tag names, the manifest's own
// artifact type and its config never count, since whoever pushes chooses them
// freely.
func (m Manifest) IsArtifact(size int) bool {
	panic("not built yet")
}
