package corpus

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// places puts a descriptor where a document can have one.
var places = []struct {
	name string
	with func(descriptor string) string
}{
	{"config", func(d string) string { return image2(d, goodLayers) }},
	{"layer", func(d string) string { return image2(goodConfig, array(goodLayer, d)) }},
	{"entry", func(d string) string { return index2(goodEntry, d) }},
	{"subject", func(d string) string { return image("subject", d) }},
}

// numbers are sizes and versions that parsers read differently, or not at all.
func numbers() []row {
	var rows []row
	for _, number := range []string{
		"0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "-0", "-9223372036854775808", "1e3", "1E0", "1.0", "1.5", "1e400", "-1e400", "1e-400",
		"NaN", "Infinity", "-Infinity", "0x10", "010", "+1", "1.", ".5", "1e", "1_000", `"100"`, "null", "true", "[]", "{}", strings.Repeat("9", 400), "１",
	} {
		w := refused
		if number == "0" || number == "1" || number == "9223372036854775807" {
			w = served
		}
		for _, place := range places {
			body := place.with(object("mediaType", quote(ociLayer), "digest", quote(sha([]byte("d"))), "size", number))
			rows = append(rows, row{family: "numbers", name: fmt.Sprintf("size %.30s of a %s", number, place.name), body: body, want: w})
		}
		version := refused
		rows = append(rows, row{family: "numbers", name: fmt.Sprintf("schemaVersion %.30s", number), body: object("schemaVersion", number, "config", goodConfig, "layers", goodLayers), want: version})
	}
	for _, version := range []string{"2", "2.0", "2e0", "20e-1", `"2"`, "02", "-2", "3", "4294967298", "18446744073709551618"} {
		w := refused
		if version == "2" {
			w = served
		}
		rows = append(rows, row{family: "numbers", name: "version " + version, body: object("schemaVersion", version, "mediaType", quote(ociIndex), "manifests", array(goodEntry)), want: w})
	}
	return rows
}

// digests are spellings of what a document points at.
func digests() []row {
	hex256 := strings.TrimPrefix(sha([]byte("d")), "sha256:")
	sum := sha512.Sum512([]byte("d"))
	spelled := map[string]string{
		"upper case digits": "sha256:" + strings.ToUpper(hex256), "upper case algorithm": "SHA256:" + hex256, "short": "sha256:" + hex256[1:], "long": "sha256:" + hex256 + "0", "no digits": "sha256:",
		"no algorithm": hex256, "empty": "", "colon": ":", "md5": "md5:d41d8cd98f00b204e9800998ecf8427e", "sha1": "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha384": "sha384:" + hex256 + hex256[:32],
		"sha512 with 64 digits": "sha512:" + hex256, "path traversal": "sha256:../../../../etc/passwd", "path traversal of the right length": "sha256:" + strings.Repeat("../", 21) + "a", "slash": "sha256/" + hex256,
		"space before": " sha256:" + hex256, "space behind": "sha256:" + hex256 + " ", "newline behind": "sha256:" + hex256 + "\n", "zero byte behind": "sha256:" + hex256 + "\x00", "query": "sha256:" + hex256[:60] + "?a=b",
		"multihash": "sha256+b64:" + hex256, "two": "sha256:" + hex256 + ",sha256:" + hex256, "not hex": "sha256:" + strings.Repeat("g", 64), "full width digits": "sha256:" + strings.Repeat("１", 64), "dash": "sha256-" + hex256,
	}
	var rows []row
	for _, place := range places {
		for name, digest := range spelled {
			body := place.with(object("mediaType", quote(ociLayer), "digest", quote(digest), "size", "1"))
			// Go's quote writes some of these in a way that JSON does not have.
			body = strings.ReplaceAll(body, `\x00`, `\u0000`)
			rows = append(rows, row{family: "digests", name: name + " of a " + place.name, body: body, want: refused})
		}
		for name, value := range map[string]string{"missing": "", "null": "null", "number": "1", "array": "[]"} {
			members := []string{"mediaType", quote(ociLayer), "size", "1"}
			if value != "" {
				members = append(members, "digest", value)
			}
			rows = append(rows, row{family: "digests", name: name + " of a " + place.name, body: place.with(object(members...)), want: refused})
		}
		body := place.with(object("mediaType", quote(ociLayer), "digest", quote("sha512:"+hex.EncodeToString(sum[:])), "size", "1"))
		rows = append(rows, row{family: "digests", name: "sha512 of a " + place.name, body: body, want: served})
	}
	return rows
}
