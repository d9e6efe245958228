package oci_test

import (
	"testing"

	"vouchsafe/oci"
)

func TestParseManifestSettlesTheMediaType(t *testing.T) {
	const (
		bareImage = `{"schemaVersion":2,"config":CONFIG,"layers":[LAYER]}`
		bareIndex = `{"schemaVersion":2,"manifests":[]}`
	)
	for _, test := range []struct{ name, document, contentType, want string }{
		{"all agree", image, oci.MediaTypeImageManifest, oci.MediaTypeImageManifest},
		{"parameters and letter case of Content-Type do not count", image, " Application/VND.OCI.image.manifest.v1+json ; q=1", oci.MediaTypeImageManifest},
		{"no Content-Type", index, "", oci.MediaTypeImageIndex},
		{"Content-Type that says nothing", index, "application/json; charset=utf-8", oci.MediaTypeImageIndex},
		{"bytes", index, "application/octet-stream", oci.MediaTypeImageIndex},
		{"plain text", index, "text/plain; charset=utf-8", oci.MediaTypeImageIndex},
		{"only Content-Type says", bareImage, oci.MediaTypeImageManifest, oci.MediaTypeImageManifest},
		{"only the shape says image", bareImage, "", oci.MediaTypeImageManifest},
		{"only the shape says index", bareIndex, "text/plain", oci.MediaTypeImageIndex},
		{"no layers at all", `{"schemaVersion":2,"config":CONFIG,"layers":[]}`, "", oci.MediaTypeImageManifest},
		{"Docker's manifest", `{"schemaVersion":2,"mediaType":"DOCKERIMAGE","config":CONFIG,"layers":[LAYER]}`, oci.MediaTypeDockerManifest, oci.MediaTypeDockerManifest},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := oci.ParseManifest([]byte(text(test.document)), test.contentType)
			if err != nil {
				t.Fatal(err)
			}
			if m.MediaType != test.want {
				t.Errorf("got %s, want %s", m.MediaType, test.want)
			}
		})
	}
}

func TestParseManifestRefusesContradictions(t *testing.T) {
	checkRefusals(t, []refusal{
		{"manifests beside layers", `{"schemaVersion":2,"layers":[],"manifests":[]}`, "", "ambiguous"},
		{"manifests beside a config", `{"schemaVersion":2,"config":CONFIG,"manifests":[]}`, "", "ambiguous"},
		{"all three", `{"schemaVersion":2,"mediaType":"OCIIMAGE","config":CONFIG,"layers":[LAYER],"manifests":[ENTRY]}`, oci.MediaTypeImageManifest, "ambiguous"},
		{"fsLayers beside layers", with(`"fsLayers":[]`), "", "ambiguous"},
		{"history beside manifests", `{"schemaVersion":2,"manifests":[],"history":[]}`, "", "ambiguous"},
		{"schema 1", `{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[],"signatures":[]}`, "application/vnd.docker.distribution.manifest.v1+prettyjws", "unknown_type"},
		{"an empty object", "{}", "", "unknown_type"},
		{"neither layers nor manifests", `{"schemaVersion":2,"mediaType":"OCIIMAGE"}`, oci.MediaTypeImageManifest, "unknown_type"},
		{"an error body with 200", `{"errors":[{"code":"DENIED"}]}`, "application/json", "unknown_type"},
		{"an image served as index", image, oci.MediaTypeImageIndex, "type_mismatch"},
		{"an index served as image", index, oci.MediaTypeImageManifest, "type_mismatch"},
		{"OCI's served as Docker's", image, oci.MediaTypeDockerManifest, "type_mismatch"},
		{"served as a page", image, "text/html", "type_mismatch"},
		{"two types in Content-Type", image, oci.MediaTypeImageManifest + ", " + oci.MediaTypeImageIndex, "type_mismatch"},
		{"an image that calls itself index", `{"schemaVersion":2,"mediaType":"OCIINDEX","config":CONFIG,"layers":[LAYER]}`, "", "type_mismatch"},
		{"an index that calls itself image", `{"schemaVersion":2,"mediaType":"OCIIMAGE","manifests":[ENTRY]}`, oci.MediaTypeImageManifest, "type_mismatch"},
		{"a bare image served as index", `{"schemaVersion":2,"config":CONFIG,"layers":[LAYER]}`, oci.MediaTypeImageIndex, "type_mismatch"},
		{"a bare image served as a page", `{"schemaVersion":2,"config":CONFIG,"layers":[LAYER]}`, "text/html", "unknown_type"},
		{"an empty type inside", `{"schemaVersion":2,"mediaType":"","config":CONFIG,"layers":[LAYER]}`, "", "unknown_type"},
		{"a type inside with a parameter", `{"schemaVersion":2,"mediaType":"OCIIMAGE;a=b","config":CONFIG,"layers":[LAYER]}`, "", "unknown_type"},
		{"a type inside in other letter case", `{"schemaVersion":2,"mediaType":"application/vnd.OCI.image.manifest.v1+json","config":CONFIG,"layers":[LAYER]}`, "", "unknown_type"},
		{"an artifact manifest", `{"schemaVersion":2,"mediaType":"application/vnd.oci.artifact.manifest.v1+json","layers":[]}`, "", "unknown_type"},
		{"null as type inside", `{"schemaVersion":2,"mediaType":null,"config":CONFIG,"layers":[LAYER]}`, "", "schema"},
		{"no schema version", `{"config":CONFIG,"layers":[LAYER]}`, "", "schema"},
		{"schema version 1", `{"schemaVersion":1,"config":CONFIG,"layers":[LAYER]}`, "", "schema"},
		{"schema version 2.0", `{"schemaVersion":2.0,"config":CONFIG,"layers":[LAYER]}`, "", "schema"},
		{"schema version as text", `{"schemaVersion":"2","config":CONFIG,"layers":[LAYER]}`, "", "schema"},
		{"no config", `{"schemaVersion":2,"layers":[LAYER]}`, "", "schema"},
		{"no layers", `{"schemaVersion":2,"config":CONFIG}`, "", "schema"},
		{"Docker's without a type inside", `{"schemaVersion":2,"config":CONFIG,"layers":[LAYER]}`, oci.MediaTypeDockerManifest, "schema"},
	})
}
