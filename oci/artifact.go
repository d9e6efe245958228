package oci

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

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
// signature, attestation or SBOM, or a list of such: an image manifest with at
// least one layer, each layer's media type in a closed list and at most
// MaxArtifactBytes in all; or an index with 1 to MaxArtifactEntries entries, each
// with an artifact type, without a platform and without embedded content. Tag
// names and the manifest's own artifact type never count, since whoever pushes
// chooses them freely. That goes for what is listed too unless no runtime takes
// it for an image: see [Manifest.MustBeRead].
func (m Manifest) IsArtifact(size int) bool {
	switch m.Kind {
	case KindImage:
		return len(m.Layers) > 0 && m.layersAreArtifacts(int64(size))
	case KindIndex:
		return len(m.Manifests) > 0 && len(m.Manifests) <= MaxArtifactEntries &&
			!slices.ContainsFunc(m.Manifests, func(d Descriptor) bool {
				return d.Platform != nil || d.ArtifactType == "" || d.Embedded
			})
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

// emptyObject is the content that the config of an artifact has when it has none
// (OCI image specification 1.1, "Guidance for an Empty Descriptor").
var emptyObject = SHA256([]byte("{}"))

// MustBeRead reports whether an artifact could be started after all, so that what
// it lists must be read before it counts as one. Podman, CRI-O and Docker unpack
// the layers of a manifest with an image config whatever media type they have
// (tried with Podman 4.3.1: a tar archive called a cosign signature runs), and
// containerd reads a config as an image's whatever type it has (tried with 1.6.20
// and 2.4.2: it starts it on layers that the node has already). So only an OCI
// manifest with an empty config of a type that no runtime takes for an image's is
// settled by its manifest. What an index lists is whatever is behind the digests.
func (m Manifest) MustBeRead() bool {
	return m.Kind != KindImage || m.MediaType != MediaTypeImageManifest ||
		!inertConfigs[m.Config.MediaType] || m.Config.Digest != emptyObject
}

// notJSON are the types of artifactLayers that are not JSON, or not always.
var notJSON = map[string]bool{
	"application/cose": true, "text/spdx": true, "text/spdx+xml": true,
	"application/vnd.cyclonedx": true, "application/vnd.cyclonedx+xml": true,
}

// IsInertLayer reports whether a layer of an artifact is nothing that a runtime
// could unpack, start or take for a manifest: text, so neither an executable nor
// compressed; not readable as an archive; JSON where its type says so; no
// manifest, which a node would then hold without having asked for it as one.
func IsInertLayer(mediaType string, b []byte) bool {
	if !isText(b) || bytes.HasPrefix(b, []byte("BZh")) {
		return false
	}
	if _, err := tar.NewReader(bytes.NewReader(b)).Next(); err == nil {
		return false
	}
	if !notJSON[mediaType] && !json.Valid(b) {
		return false
	}
	_, err := ParseManifest(b, "")
	return err != nil
}

// isText reports whether b is valid UTF-8 without control characters but white
// space. Executables and compressed data have bytes that text has not.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}

// configFields are all that cosign writes into the config of a signature.
var configFields = []string{"architecture", "config", "created", "history", "os", "rootfs"}

// IsInertConfig reports whether an image config, of a manifest with these layers,
// says nothing about how to start something: an object of the fields that cosign
// writes, each once, without operating system, architecture and settings, and on
// no other layers than these, which a node might have already.
func IsInertConfig(b []byte, layers []Descriptor) bool {
	decoder := json.NewDecoder(bytes.NewReader(b))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	var seen []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return false
		}
		field, _ := name.(string)
		if !slices.Contains(configFields, field) || slices.Contains(seen, field) || !inertField(field, value, layers) {
			return false
		}
		seen = append(seen, field)
	}
	_, err := decoder.Token()
	return err == nil && !decoder.More()
}

func inertField(field string, value json.RawMessage, layers []Descriptor) bool {
	switch field {
	case "architecture", "os":
		return string(value) == `""`
	case "config":
		return string(value) == "{}" || string(value) == "null"
	case "rootfs":
		return isRootFS(value, layers)
	}
	return true
}

// isRootFS reports whether value lists these layers, uncompressed, or none. It is
// compared as text, so that no two readers can see two lists in it.
func isRootFS(value json.RawMessage, layers []Descriptor) bool {
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return false
	}
	var ids []string
	for _, l := range layers {
		ids = append(ids, strconv.Quote(l.Digest.String()))
	}
	for _, list := range []string{"[" + strings.Join(ids, ",") + "]", "[]", "null"} {
		if got := compact.String(); got == `{"type":"layers","diff_ids":`+list+`}` || got == `{"diff_ids":`+list+`,"type":"layers"}` {
			return true
		}
	}
	return false
}
