package corpus

import (
	"strconv"
	"strings"
)

// The formats that a gateway serves.
const (
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	schema1        = "application/vnd.docker.distribution.manifest.v1+json"
	schema1Signed  = "application/vnd.docker.distribution.manifest.v1+prettyjws"

	ociConfig = "application/vnd.oci.image.config.v1+json"
	ociLayer  = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// quote is a JSON string of plain text.
func quote(s string) string { return strconv.Quote(s) }

// object is a JSON object of names and raw values in turn; it does not care
// whether a name comes twice.
func object(members ...string) string {
	var b strings.Builder
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(members[i]) + ":" + members[i+1])
	}
	return "{" + b.String() + "}"
}

// array is a JSON array of raw values.
func array(values ...string) string { return "[" + strings.Join(values, ",") + "]" }

// repeated is an array of n times the same value.
func repeated(value string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + "]"
}

// descriptor points at content that is made up from seed and that nobody has.
func descriptor(mediaType, seed string, more ...string) string {
	return object(append([]string{"mediaType", quote(mediaType), "digest", quote(sha([]byte(seed))), "size", "100"}, more...)...)
}

// The parts of well-formed documents.
var (
	goodConfig = descriptor(ociConfig, "config")
	goodLayer  = descriptor(ociLayer, "layer")
	goodLayers = array(goodLayer, descriptor(ociLayer, "layer 2"))
	goodEntry  = descriptor(ociManifest, "child", "platform", object("os", quote("linux"), "architecture", quote("amd64")))
	evilEntry  = descriptor(ociManifest, "evil")
	evilLayer  = descriptor(ociLayer, "evil layer")
)

// image is a well-formed image manifest with further members.
func image(more ...string) string {
	return object(append([]string{
		"schemaVersion", "2", "mediaType", quote(ociManifest), "config", goodConfig, "layers", goodLayers,
	}, more...)...)
}

// index is a well-formed index with further members.
func index(more ...string) string {
	return object(append([]string{
		"schemaVersion", "2", "mediaType", quote(ociIndex), "manifests", array(goodEntry),
	}, more...)...)
}
