package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// duplicates names each field twice, in the ways in which parsers disagree
// about which of the two counts.
func duplicates() []row {
	var rows []row
	add := func(where, body string) {
		rows = append(rows, row{family: "duplicates", name: where, body: body, want: refused})
	}
	evil := map[string]string{
		"schemaVersion": "1", "mediaType": quote(ociIndex), "config": descriptor(ociConfig, "evil config"), "layers": array(evilLayer),
		"manifests": array(evilEntry), "annotations": "{}", "artifactType": quote("a/b"), "subject": goodConfig,
	}
	for name, body := range map[string]string{"image": image("annotations", "{}", "artifactType", quote("a/b"), "subject", goodConfig), "index": index("annotations", "{}")} {
		for field, value := range evil {
			if !strings.Contains(body, quote(field)+":") {
				continue
			}
			for how, spelled := range spellings(field) {
				add(fmt.Sprintf("%s %s %s behind", name, field, how), strings.TrimSuffix(body, "}")+","+spelled+":"+value+"}")
				add(fmt.Sprintf("%s %s %s before", name, field, how), "{"+spelled+":"+value+","+strings.TrimPrefix(body, "{"))
			}
		}
	}
	for field, value := range map[string]string{
		"mediaType": quote(ociIndex), "digest": quote(sha([]byte("evil"))), "size": "1", "platform": "{}", "annotations": "{}", "urls": "[]", "data": `""`, "artifactType": quote("a/b"),
	} {
		for how, spelled := range spellings(field) {
			twice := strings.TrimSuffix(descriptor(ociManifest, "child", "platform", "{}", "annotations", "{}", "urls", "[]", "data", `""`, "artifactType", quote("a/b")), "}") + "," + spelled + ":" + value + "}"
			add(fmt.Sprintf("entry %s %s", field, how), index2(twice))
			add(fmt.Sprintf("layer %s %s", field, how), image2(goodConfig, array(twice)))
		}
	}
	add("annotation twice", image("annotations", object("a", `"1"`, "a", `"2"`)))
	add("annotation twice by case", image("annotations", object("a", `"1"`, "A", `"2"`)))
	add("unknown field twice", image("x", "1", "x", "2"))
	add("unknown nested field twice", image("x", `[{"y":{"z":1,"z":2}}]`))
	add("platform architecture twice", index2(descriptor(ociManifest, "child", "platform", object("os", `"linux"`, "architecture", `"amd64"`, "Architecture", `"arm64"`))))
	return rows
}

// spellings are the ways to write a name that a parser may take for field.
func spellings(field string) map[string]string {
	all := map[string]string{
		"twice":           quote(field),
		"in upper case":   quote(strings.ToUpper(field)),
		"by escape":       fmt.Sprintf(`"\u%04x%s"`, field[0], field[1:]),
		"with first case": quote(strings.ToUpper(field[:1]) + field[1:]),
	}
	if at := strings.IndexByte(field, 's'); at >= 0 {
		// The long s folds to s in Go's decoder, and in few others.
		all["with a long s"] = `"` + field[:at] + "ſ" + field[at+1:] + `"`
	}
	return all
}

func image2(config, layers string) string {
	return object("schemaVersion", "2", "mediaType", quote(ociManifest), "config", config, "layers", layers)
}

func index2(entries ...string) string {
	return object("schemaVersion", "2", "mediaType", quote(ociIndex), "manifests", array(entries...))
}

// encodings are texts that are not the plain UTF-8 JSON object of before.
func encodings() []row {
	good := image()
	var rows []row
	add := func(w want, name, body string) {
		rows = append(rows, row{family: "encodings", name: name, body: body, want: w})
	}
	wide := func(order binary.AppendByteOrder, s string) string {
		var b []byte
		for _, c := range utf16.Encode([]rune(s)) {
			b = order.AppendUint16(b, c)
		}
		return string(b)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(good))
	_ = w.Close()
	for name, body := range map[string]string{
		"UTF-8 with byte order mark": "\xef\xbb\xbf" + good, "byte order mark behind space": " \xef\xbb\xbf" + good,
		"UTF-16LE": wide(binary.LittleEndian, good), "UTF-16BE": wide(binary.BigEndian, good),
		"UTF-16LE with mark": "\xff\xfe" + wide(binary.LittleEndian, good), "UTF-16BE with mark": "\xfe\xff" + wide(binary.BigEndian, good),
		"gzip": packed.String(), "empty": "", "space alone": " \n\t ", "null": "null", "true": "true", "number": "2", "string": quote(good), "array": array(good), "empty array": "[]",
		"zero byte before": "\x00" + good, "zero byte behind": good + "\x00", "zero byte inside": strings.Replace(good, ",", ",\x00", 1),
		"form feed": "\f" + good, "vertical tab": "\v" + good, "no-break space": "\u00a0" + good, "line separator": "\u2028" + good, "next line": "\u0085" + good,
		"two objects": good + good, "two objects in lines": good + "\n" + index(), "text behind": good + "x", "brace behind": good + "}", "comma behind": good + ",", "record separators": "\x1e" + good + "\n",
		"line comment": strings.Replace(good, ",", ",//c\n", 1), "block comment": strings.Replace(good, ",", ",/*c*/", 1), "hash comment": "#c\n" + good, "XSSI prefix": ")]}'\n" + good,
		"trailing comma": strings.TrimSuffix(good, "}") + ",}", "trailing comma in array": strings.Replace(good, "}]", "},]", 1), "leading comma": strings.Replace(good, "{", "{,", 1), "double comma": strings.Replace(good, ",", ",,", 1),
		"single quotes": strings.ReplaceAll(good, `"`, "'"), "bare names": strings.Replace(good, `"schemaVersion"`, "schemaVersion", 1), "semicolon": strings.Replace(good, ":", ";", 1), "equals": strings.Replace(good, ":", "=", 1),
		"name without value": strings.Replace(good, `"schemaVersion":2`, `"schemaVersion"`, 1), "value without name": strings.Replace(good, `"schemaVersion":2`, `2`, 1), "number as name": strings.Replace(good, `"schemaVersion"`, `1`, 1),
		"HTML": "<html><body>" + good + "</body></html>", "XML": "<?xml version='1.0'?><a/>", "YAML": "schemaVersion: 2\nlayers: []\n", "JSONP": "f(" + good + ")",
		"newline in string": image("x", "\"a\nb\""), "tab in string": image("x", "\"a\tb\""), "zero byte in string": image("x", "\"a\x00b\""), "control character in string": image("x", "\"\x1f\""),
		"unknown escape": image("x", `"\q"`), "hex escape": image("x", `"\x41"`), "short unicode escape": image("x", `"\u12"`), "bad unicode escape": image("x", `"\u12g4"`), "escaped end": image("x", `"\"`),
		"overlong slash": image("x", "\"\xc0\xaf\""), "overlong zero": image("x", "\"\xc0\x80\""), "three byte overlong": image("x", "\"\xe0\x80\xaf\""), "surrogate in UTF-8": image("x", "\"\xed\xa0\x80\""), "CESU-8 pair": image("x", "\"\xed\xa0\xbd\xed\xb8\x80\""),
		"beyond Unicode": image("x", "\"\xf4\x90\x80\x80\""), "lone continuation": image("x", "\"\x80\""), "cut sequence": image("x", "\"\xe2\x82\""), "Latin-1": image("x", "\"\xe9\""), "bad UTF-8 in a name": image("\xff", "1"),
		"zero byte in a name": strings.Replace(good, `"layers"`, `"layers\u0000"`, 1), "zero byte in a second name": strings.Replace(good, `"layers"`, `"manifests\u0000":[],"layers"`, 1),
	} {
		if name == "bad UTF-8 in a name" {
			body = strings.Replace(good, "{", "{\"\xff\":1,", 1)
		}
		add(refused, name, body)
	}
	for name, body := range map[string]string{
		"space around": " \r\n\t" + good + "\n\n", "space inside": strings.ReplaceAll(good, ",", " ,\n "), "escapes in values": strings.Replace(good, "application/", `application\/`, 1),
		"escaped names": strings.Replace(good, `"layers"`, `"l\u0061yers"`, 1), "unicode in values": image("annotations", object("a", `"ä€😀\u2028"`)), "pair of escapes": image("x", `"\ud83d\ude00"`),
	} {
		add(served, name, body)
	}
	add(either, "lone surrogate escape", image("x", `"\ud800"`))
	add(either, "lone surrogate escape in a name", strings.Replace(good, "{", `{"\ud800":1,`, 1))
	add(either, "two lone surrogates as names", strings.Replace(good, "{", `{"\ud800":1,"\udc00":2,`, 1))
	for n := 1; n < len(good); n += len(good)/20 + 1 {
		add(refused, fmt.Sprintf("cut behind %d bytes", n), good[:n])
	}
	return rows
}
