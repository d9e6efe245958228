package oci_test

import (
	"strings"
	"testing"

	"vouchsafe/oci"
)

// with puts more fields before those of a good image.
func with(fields string) string { return strings.Replace(image, "{", "{"+fields+",", 1) }

func TestParseManifestRefusesWhatIsNoJSON(t *testing.T) {
	tests := []refusal{
		{"nothing", "", "", "not_json"},
		{"white space", " \n", "", "not_json"},
		{"a page", "<!DOCTYPE html><html></html>", "", "not_json"},
		{"an array", "[" + image + "]", "", "not_json"},
		{"null", "null", "", "not_json"},
		{"a byte order mark", "\xef\xbb\xbf" + image, "", "not_json"},
		{"UTF-16", "{\x00}\x00", "", "not_json"},
		{"an object without end", strings.TrimSuffix(image, "}"), "", "not_json"},
		{"a name without quotes", with(`a:1`), "", "not_json"},
		{"a number as name", with(`1:1`), "", "not_json"},
		{"single quotes", with(`'a':1`), "", "not_json"},
		{"a comment", with(`/* a */"a":1`), "", "not_json"},
		{"a comma too many", strings.Replace(image, "]}", "],}", 1), "", "not_json"},
		{"a comma too many in an array", strings.Replace(image, "LAYER]", "LAYER,]", 1), "", "not_json"},
		{"two commas", with(`"a":1,`), "", "not_json"},
		{"a colon missing", with(`"a" 1`), "", "not_json"},
		{"a vertical tab as white space", with("\v\"a\":1"), "", "not_json"},
		{"a zero byte behind", image + "\x00", "", "trailing_data"},
		{"a second object", image + image, "", "trailing_data"},
		{"a brace behind", image + " }", "", "trailing_data"},
	}
	for _, value := range []string{
		"01", "+1", "-", ".5", "1.", "1e", "1e+", "0x10", "NaN", "Infinity", "nul", "True", "1_000", "",
		`"`, `"\x41"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x1f\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"",
		`"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\ud800A"`, `"\ud800\n"`, `"\ud800\u0041"`, `"\U0041"`, `"\`, `"\u`,
	} {
		tests = append(tests, refusal{"the value " + value, with(`"a":` + value), "", "not_json"})
	}
	checkRefusals(t, tests)
}

func TestParseManifestReadsEveryFormOfValue(t *testing.T) {
	for _, value := range []string{
		"0", "-0", "-0.0", "10", "1.5", "1e9", "1E-9", "1.25e+10", "true", "false", "null", "{}", "[]", " [ 1 , { } ] ",
		`""`, `"\"\\\/\b\f\n\r\t"`, `"\u0000"`, `"\uD83D\uDE00"`, `"\u00E9é"`, "\"\x7f\"", "\"\ufeff\"",
	} {
		if _, err := oci.ParseManifest([]byte(text(with(`"a":`+value))), ""); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}
