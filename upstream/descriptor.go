package upstream

import (
	"encoding/json"
	"mime"

	"vouchsafe/oci"
)

// maxDescriptorBytes bounds one entry of a list of referrers, annotations
// included.
const maxDescriptorBytes = 16 << 10

// descriptor is the JSON form of an [oci.Descriptor] (OCI image specification
// 1.1, "Descriptors").
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     *platform         `json:"platform,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

// parseDescriptor reads one entry, untrusted; false for one that is bad. Its
// size is a claim.
func parseDescriptor(element json.RawMessage) (oci.Descriptor, bool) {
	var d descriptor
	if len(element) > maxDescriptorBytes || json.Unmarshal(element, &d) != nil || d.Size < 0 {
		return oci.Descriptor{}, false
	}
	digest, err := oci.ParseDigest(d.Digest)
	if err != nil {
		return oci.Descriptor{}, false
	}
	if _, _, err := mime.ParseMediaType(d.MediaType); err != nil {
		return oci.Descriptor{}, false
	}
	parsed := oci.Descriptor{
		MediaType: d.MediaType, Digest: digest, Size: d.Size,
		ArtifactType: d.ArtifactType, Annotations: d.Annotations,
	}
	if d.Platform != nil {
		parsed.Platform = &oci.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
	}
	return parsed, true
}

// formatDescriptor is the way back.
func formatDescriptor(d oci.Descriptor) descriptor {
	formatted := descriptor{
		MediaType: d.MediaType, Digest: d.Digest.String(), Size: d.Size,
		ArtifactType: d.ArtifactType, Annotations: d.Annotations,
	}
	if d.Platform != nil {
		formatted.Platform = &platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
	}
	return formatted
}
