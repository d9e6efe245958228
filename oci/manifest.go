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
	// MaxArtifactEntries is the most entries of an index of signature artifacts.
	MaxArtifactEntries = 64
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
	Platform *Platform
	// Embedded is true when the descriptor carries the content itself ("data"):
	// some clients take it from there and never ask for it.
	Embedded    bool
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
