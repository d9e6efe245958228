package oci

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

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
//	ambiguous        manifests beside layers or config, a field of schema 1 beside
//	                 them, a known field's name in other letter case
//	unknown_type     a media type that is neither manifest nor index, or none to be found
//	type_mismatch    the media type inside, Content-Type and shape contradict each other
//	schema           a schemaVersion other than 2, a field of the wrong JSON type, a missing one
//	bad_descriptor   a digest, size or media type that is not one
//	too_many         more entries than MaxIndexManifests or MaxLayers, or over 65,536 fields
//
// What the manifest is: the media type inside, Content-Type and the shape
// (config and layers, or manifests) have to agree. A Content-Type that names no
// format (application/json, application/octet-stream, text/plain) says nothing.
// The OCI image specification 1.1 lets the media type inside be absent: then
// Content-Type decides, and where that says nothing too, the shape, for OCI's
// types. Docker's formats demand it inside. Fields that are not known are
// ignored.
func ParseManifest(b []byte, contentType string) (Manifest, error) {
	if len(b) > MaxManifestBytes {
		return Manifest{}, invalid("too_large", "over %d bytes", MaxManifestBytes)
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		return Manifest{}, invalid("not_json", "begins with a byte order mark")
	}
	if !utf8.Valid(b) {
		return Manifest{}, invalid("not_json", "no UTF-8")
	}
	r := manifestReader{scanner: scanner{text: b}}
	if r.space() != '{' {
		return Manifest{}, invalid("not_json", "no JSON object")
	}
	if err := r.object(r.field); err != nil {
		return Manifest{}, err
	}
	if r.space(); r.at != len(b) {
		return Manifest{}, invalid("trailing_data", "more data behind the object")
	}
	if err := r.settle(contentType); err != nil {
		return Manifest{}, err
	}
	return r.manifest, nil
}

func invalid(reason, format string, args ...any) error {
	return &Error{Code: CodeManifestInvalid, Reason: reason, Message: "invalid manifest: " + fmt.Sprintf(format, args...)}
}

// manifestReader builds a Manifest while it scans.
type manifestReader struct {
	scanner
	manifest Manifest
	// version2 is true when schemaVersion is 2.
	version2 bool
	// has tells fields that are there from those that are empty.
	has struct{ mediaType, config, layers, manifests, schema1 bool }
	// lastType saves copies: most layers of a manifest have the same type.
	lastType string
}

// field reads one field of the manifest itself.
func (r *manifestReader) field(name []byte) (err error) {
	m := &r.manifest
	switch string(name) {
	case "schemaVersion":
		return r.schemaVersion()
	case "mediaType":
		r.has.mediaType = true
		m.MediaType, err = r.value()
	case "artifactType":
		m.ArtifactType, err = r.value()
	case "config":
		r.has.config = true
		m.Config, err = r.descriptor()
	case "layers":
		r.has.layers = true
		m.Layers, err = r.descriptors("layers", MaxLayers)
	case "manifests":
		r.has.manifests = true
		m.Manifests, err = r.descriptors("manifests", MaxIndexManifests)
	case "subject":
		var subject Descriptor
		subject, err = r.descriptor()
		m.Subject = &subject
	case "annotations":
		m.Annotations, err = r.annotations()
	case "fsLayers", "history", "signatures":
		r.has.schema1 = true
		err = r.skip()
	default:
		err = r.other(name, "schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests",
			"subject", "annotations", "fsLayers", "history", "signatures")
	}
	return err
}

// other skips the value of a field that is not read. A name that differs from
// one of the format's by letter case alone is refused: it counts for Go's own
// decoder, for example, and for most others it does not.
func (r *manifestReader) other(name []byte, known ...string) error {
	for _, k := range known {
		if k != string(name) && strings.EqualFold(k, string(name)) {
			return invalid("ambiguous", "the field %.80q is %q in other letter case", name, k)
		}
	}
	return r.skip()
}

func (r *manifestReader) schemaVersion() error {
	switch c := r.space(); {
	case c != '-' && (c < '0' || c > '9'):
		return r.unexpected("a number")
	default:
		number, err := r.number()
		r.version2 = string(number) == "2"
		return err
	}
}

// value reads a string.
func (r *manifestReader) value() (string, error) {
	if r.space() != '"' {
		return "", r.unexpected("a string")
	}
	b, err := r.string()
	if string(b) == r.lastType {
		return r.lastType, err
	}
	return string(b), err
}

// annotations reads an object of strings.
func (r *manifestReader) annotations() (map[string]string, error) {
	all := map[string]string{}
	err := r.object(func(name []byte) (err error) {
		all[string(name)], err = r.value()
		return err
	})
	return all, err
}
