package oci_test

import (
	"fmt"
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestParseManifestRefusesANameTwice(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"name-%d":1,`, i)
	}
	checkRefusals(t, []refusal{
		{"a list twice", `{"schemaVersion":2,"manifests":[],"manifests":[ENTRY]}`, "", "duplicate_key"},
		{"again as an escape", `{"schemaVersion":2,"manifests":[],"\u006danifests":[ENTRY]}`, "", "duplicate_key"},
		{"again in other letter case", `{"schemaVersion":2,"layers":[],"Layers":[LAYER],"config":CONFIG}`, "", "duplicate_key"},
		{"again with a Kelvin sign", with(`"k":1,"` + "\u212a" + `":2`), "", "duplicate_key"},
		{"twice in a field that is not known", with(`"x":[{"a":{"b":1,"b":2}}]`), "", "duplicate_key"},
		{"twice in annotations", with(`"annotations":{"a":"1","a":"2"}`), "", "duplicate_key"},
		{"twice in a descriptor", strings.Replace(text(image), `"size":3`, `"size":3,"size":4`, 1), "", "duplicate_key"},
		{"twice among many", with(`"x":{` + many.String() + `"name-3":2}`), "", "duplicate_key"},
		{"twice among many in other letter case", with(`"x":{` + many.String() + `"Name-99":2}`), "", "duplicate_key"},
		{"twice among many with a Kelvin sign", with(`"x":{` + many.String() + `"K":1,"` + "\u212a" + `":2}`), "", "duplicate_key"},
	})
}

func TestParseManifestTakesTheSameNameInOtherObjects(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"name-%d":{"a":1,"b":{"a":1}},`, i)
	}
	document := with(`"x":[{"a":1},{"a":1}],"y":{"x":{"y":1},"a":1},"i":1,"` + "\u0130" + `":2,"z":{` + many.String() + `"a":1}`)
	if _, err := oci.ParseManifest([]byte(text(document)), ""); err != nil {
		t.Error(err)
	}
}
