package oci_test

import (
	"strings"
	"testing"

	"vouchsafe/oci"
)

// layer is an image with one field of its layer's descriptor replaced.
func layer(field, value string) string {
	fields := map[string]string{"mediaType": `"a/b"`, "digest": `"$A"`, "size": "1"}
	fields[field] = value
	var list []string
	for name, value := range fields {
		if value != "" {
			list = append(list, `"`+name+`":`+value)
		}
	}
	return strings.Replace(image, "LAYER", "{"+strings.Join(list, ",")+"}", 1)
}

func TestParseManifestRefusesBadDescriptors(t *testing.T) {
	tests := []refusal{
		{"no media type", layer("mediaType", ""), "", "bad_descriptor"},
		{"no digest", layer("digest", ""), "", "bad_descriptor"},
		{"no size", layer("size", ""), "", "bad_descriptor"},
		{"an empty entry", strings.Replace(index, "ENTRY", "{}", 1), "", "bad_descriptor"},
		{"an empty config", strings.Replace(image, "CONFIG", "{}", 1), "", "bad_descriptor"},
		{"an empty subject", with(`"subject":{}`), "", "bad_descriptor"},
		{"null as layer", strings.Replace(image, "LAYER", "null", 1), "", "schema"},
		{"text as layer", strings.Replace(image, "LAYER", `"$A"`, 1), "", "schema"},
		{"null as config", strings.Replace(image, "CONFIG", "null", 1), "", "schema"},
		{"null as layers", strings.Replace(image, "[LAYER]", "null", 1), "", "schema"},
		{"an object as layers", strings.Replace(image, "[LAYER]", "{}", 1), "", "schema"},
		{"null as subject", with(`"subject":null`), "", "schema"},
		{"null as annotations", with(`"annotations":null`), "", "schema"},
		{"a number as annotation", with(`"annotations":{"a":1}`), "", "schema"},
		{"null as platform", layer("platform", "null"), "", "schema"},
		{"a number as OS", layer("platform", `{"os":1}`), "", "schema"},
		{"a broken platform", layer("platform", `{"os":`), "", "not_json"},
		{"a list as artifact type", layer("artifactType", "[]"), "", "schema"},
		{"a broken size", layer("size", "-"), "", "not_json"},
	}
	for _, value := range []string{`""`, `"a"`, `"/b"`, `"a/"`, `"a/b\n"`, `"a/é"`, `"a/` + strings.Repeat("b", 300) + `"`} {
		tests = append(tests, refusal{"the media type " + value, layer("mediaType", value), "", "bad_descriptor"})
	}
	for _, value := range []string{
		`""`, `"sha256:../../etc"`, `"` + strings.Repeat("a", 64) + `"`, `"sha256:` + strings.Repeat("a", 63) + `"`,
		`"sha256:` + strings.Repeat("A", 64) + `"`, `"md5:` + strings.Repeat("a", 32) + `"`, `"sha512:` + strings.Repeat("a", 64) + `"`,
	} {
		tests = append(tests, refusal{"the digest " + value, layer("digest", value), "", "bad_descriptor"})
	}
	for _, value := range []string{"-1", "-0", "1.0", "1e3", "9223372036854775808", "99999999999999999999999"} {
		tests = append(tests, refusal{"the size " + value, layer("size", value), "", "bad_descriptor"})
	}
	for _, field := range []string{"mediaType", "digest", "size"} {
		for _, value := range []string{"null", "true", "{}", "[1]"} {
			tests = append(tests, refusal{"the " + field + " " + value, layer(field, value), "", "schema"})
		}
	}
	tests = append(tests, refusal{"the size as text", layer("size", `"1"`), "", "schema"})
	checkRefusals(t, tests)
}

func TestParseManifestIgnoresWhatItDoesNotKnowInADescriptor(t *testing.T) {
	if _, err := oci.ParseManifest([]byte(text(layer("x", `{"Digest":[null]}`))), ""); err != nil {
		t.Error(err)
	}
}
