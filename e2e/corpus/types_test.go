package corpus

import (
	"fmt"
	"mime"
	"strings"
)

// want is what the reader of manifests has to say to a row that is signed well.
type want int

const (
	// refused is 502 MANIFEST_INVALID.
	refused want = iota + 1
	// served is 200.
	served
	// either is whatever, as long as what is served has one reading.
	either
)

// row is one manifest or index.
type row struct {
	family, name string
	body         string
	// contentType is what the registry says, "" for nothing.
	contentType string
	want        want
	// exempt is true for what is served without a signature, since it is a
	// signature artifact that nothing can start.
	exempt bool
	// blobs are what the origin has besides.
	blobs []string
}

// innerTypes are media types inside a document; "-" is none.
var innerTypes = []string{
	"-", ociManifest, ociIndex, dockerManifest, dockerList, schema1, schema1Signed, "", "text/plain", "application/json",
	strings.ToUpper(ociManifest), ociIndex + "; charset=utf-8", " " + ociManifest, "application/vnd.oci.artifact.manifest.v1+json",
}

// outerTypes are values of Content-Type; "" is none.
var outerTypes = []string{
	"", ociManifest, ociIndex, dockerManifest, dockerList, schema1Signed, "application/json", "text/plain; charset=utf-8",
	strings.ToUpper(ociIndex), ociManifest + "; charset=utf-8", "text/html", ociManifest + ", " + ociIndex, "application/octet-stream", ";",
}

// typeConfusion crosses what a document calls itself, what the registry calls it
// and what it looks like.
func typeConfusion() []row {
	var rows []row
	for _, kind := range []string{"image", "index"} {
		for _, inner := range innerTypes {
			for _, outer := range outerTypes {
				members := []string{"schemaVersion", "2"}
				if inner != "-" {
					members = append(members, "mediaType", quote(inner))
				}
				if kind == "image" {
					members = append(members, "config", goodConfig, "layers", goodLayers)
				} else {
					members = append(members, "manifests", array(goodEntry))
				}
				rows = append(rows, row{
					family: "types", name: fmt.Sprintf("%s inside %q outside %q", kind, inner, outer),
					body: object(members...), contentType: outer, want: typed(kind, inner, outer),
				})
			}
		}
	}
	return rows
}

// typed is the rule in docs/limits.md and the OCI image specification: all who
// name a type agree with each other and with the fields, and Docker's formats
// name theirs inside.
func typed(kind, inner, outer string) want {
	kinds := map[string]string{ociManifest: "image", dockerManifest: "image", ociIndex: "index", dockerList: "index"}
	said, _, err := mime.ParseMediaType(outer)
	if err != nil {
		said, _, _ = strings.Cut(outer, ";")
	}
	switch said {
	case "application/json", "text/plain", "application/octet-stream":
		said = ""
	}
	docker := func(s string) bool { return s == dockerManifest || s == dockerList }
	switch {
	case inner == "-" && said == "":
		return served
	case inner == "-" && kinds[said] == kind && !docker(said):
		return served
	case inner != "-" && kinds[inner] == kind && (said == "" || said == inner):
		return served
	}
	return refused
}

// shapeConfusion puts the fields of all formats together, in every combination.
func shapeConfusion() []row {
	parts := []struct{ name, value string }{
		{"config", goodConfig},
		{"layers", goodLayers},
		{"manifests", array(goodEntry)},
		{"fsLayers", array(object("blobSum", quote(sha([]byte("old")))))},
		{"signatures", array(object("header", object("alg", quote("ES256"))))},
	}
	var rows []row
	for _, mediaType := range []string{ociManifest, ociIndex, dockerManifest, dockerList} {
		for set := range 1 << len(parts) {
			members := []string{"schemaVersion", "2", "mediaType", quote(mediaType)}
			var names []string
			for i, part := range parts {
				if set&(1<<i) != 0 {
					members = append(members, part.name, part.value)
					names = append(names, part.name)
				}
			}
			fields := strings.Join(names, "+")
			r := row{family: "shapes", name: fields + " as " + mediaType, body: object(members...), contentType: mediaType, want: refused}
			isImage := mediaType == ociManifest || mediaType == dockerManifest
			if fields == "config+layers" && isImage || fields == "manifests" && !isImage {
				r.want = served
			}
			rows = append(rows, r)
		}
	}
	return append(rows, wrongValues()...)
}

// wrongValues gives each field a value of another JSON type.
func wrongValues() []row {
	var rows []row
	for _, field := range []string{"schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"} {
		for _, value := range []string{"null", "[]", "{}", `""`, "0", "true", "[[]]", `[null]`, `[{}]`, `{"a":1}`} {
			for _, kind := range []string{"image", "index"} {
				if kind == "image" && field == "manifests" || kind == "index" && (field == "config" || field == "layers") {
					continue // That is shapeConfusion.
				}
				members := []string{"schemaVersion", "2", "mediaType", quote(ociManifest), "config", goodConfig, "layers", goodLayers}
				if kind == "index" {
					members = []string{"schemaVersion", "2", "mediaType", quote(ociIndex), "manifests", array(goodEntry)}
				}
				r := row{family: "values", name: fmt.Sprintf("%s with %s %s", kind, field, value), body: object(replaced(members, field, value)...), want: refused}
				switch field + value {
				case "layers[]", "manifests[]", `artifactType""`, "annotations{}":
					r.want = served
				}
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// replaced returns members with another value for name, or with one more.
func replaced(members []string, name, value string) []string {
	out := append([]string{}, members...)
	for i := 0; i < len(out); i += 2 {
		if out[i] == name {
			out[i+1] = value
			return out
		}
	}
	return append(out, name, value)
}
