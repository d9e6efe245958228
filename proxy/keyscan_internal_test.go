package proxy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
)

// namesAField reports whether encoding/json, as the runtimes use it, finds one of
// the fields at the top level of b.
func namesAField(b []byte) bool {
	var read struct{ Config, Layers, Manifests *present }
	return json.NewDecoder(bytes.NewReader(b)).Decode(&read) == nil &&
		(read.Config != nil || read.Layers != nil || read.Manifests != nil)
}

// scanned looks at b in pieces of n bytes.
func scanned(b []byte, n int) bool {
	var s keyScan
	for len(b) > n {
		s.see(b[:n])
		b = b[n:]
	}
	return s.see(b)
}

// Whatever encoding/json takes for a field of a manifest, the scan has seen, in
// whatever pieces it came.
func FuzzKeyScan(f *testing.F) {
	for _, seed := range []string{
		`{"layers":[]}`, ` {"a":{"config":1},"\u0063onfig" : 1}`, "{\"LAYER\u017f\":1}", `{"manifest\u017F":{}}`, `{"a":"\\","config":1}`,
		`{"a":"\"config\":","b":["config"]}`, `{"\ud83d\ude00":1,"layers":1}`, "{\"\xff\":1,\"layers\":{}}", `{"a":[{}],"config":1}`, `{"":"","config":false}`,
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		want := scanned(b, len(b)+1)
		if namesAField(b) && !want {
			t.Errorf("%q has a field of a manifest that was not seen", b)
		}
		if got := scanned(b, int(n)+1); got != want {
			t.Errorf("%q: got %t in pieces of %d, %t at once", b, got, int(n)+1, want)
		}
	})
}

func TestTheScanSeesTheFieldsOfAManifest(t *testing.T) {
	wide := func(order func(uint16) []byte, text string) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(text)) {
			b.Write(order(unit))
		}
		return b.String()
	}
	little := func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }
	big := func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }
	const manifest = `{"layers":[{"digest":"x"}]}`
	for name, test := range map[string]struct {
		content string
		want    bool
	}{
		"a field":                               {manifest, true},
		"a field without a value yet":           {`{"config":`, true},
		"a name without a colon yet":            {`{"config" `, false},
		"white space without end in front":      {strings.Repeat(" \r\n\t", 1<<20) + manifest, true},
		"space before the colon":                {"{\"config\" \n:1}", true},
		"other letter case":                     {`{"MANIFESTS":[]}`, true},
		"a letter that folds":                   {"{\"layer\u017f\":[]}", true},
		"an escaped letter":                     {`{"\u006cayers":[]}`, true},
		"an escaped letter that folds":          {`{"layer\u017F":[]}`, true},
		"an escape that only sloppy ones read":  {`{"\layers":[]}`, true},
		"behind a quote that is escaped":        {`{"a":"\"","config":1}`, true},
		"behind a backslash that is escaped":    {`{"a":"\\","config":1}`, true},
		"behind an escape that is none":         {`{"a":"\u12","config":1}`, true},
		"behind brackets inside a string":       {`{"a":"{[","config":1}`, true},
		"behind an object":                      {`{"a":{"b":[{}]},"config":1}`, true},
		"behind more ends than beginnings":      {`{"a":1}]},"config":1`, true},
		"behind a long name":                    {`{"` + strings.Repeat("layers", 1000) + `":1,"layers":1}`, true},
		"a second time at the end of an object": {`{}{"config":1}`, true},
		"behind a byte order mark":              {"\xef\xbb\xbf" + manifest, true},
		"in 16 bits":                            {wide(little, manifest), true},
		"in 16 bits the other way":              {wide(big, manifest), true},
		"in 16 bits behind a mark":              {wide(big, "\ufeff "+manifest), true},
		"inside another":                        {`{"a":{"layers":[]},"b":[{"config":1}]}`, false},
		"as a value":                            {`{"kind":"config","list":["layers"]}`, false},
		"inside a value":                        {`{"a":"\"config\":1"}`, false},
		"as the beginning of a name":            {`{"layersX":1,"config2":1,"configuration":1}`, false},
		"a list":                                {`[{"layers":[]}]`, false},
		"text":                                  {`"layers":[]`, false},
		"an archive":                            {"\x1f\x8b" + manifest, false},
		"an SBOM":                               {`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"name":"layers"}]}`, false},
		"an envelope":                           {`{"payloadType":"application/vnd.in-toto+json","payload":"eyJsYXllcnMiOltdfQ==","signatures":[{"sig":"x"}]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 7, len(test.content)} {
				if got := scanned([]byte(test.content), n); got != test.want {
					t.Errorf("got %t in pieces of %d, want %t", got, n, test.want)
				}
			}
		})
	}
}

func TestTheScanTakesNoMemory(t *testing.T) {
	content := []byte(`{"` + strings.Repeat("x", 1<<16) + `":["` + strings.Repeat(`\u0041`, 1<<12) + `"],"b":1}`)
	if got := testing.AllocsPerRun(10, func() { scanned(content, 512) }); got > 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

func BenchmarkKeyScan(b *testing.B) {
	content := []byte(`{"components":[` + strings.Repeat(`{"name":"libc","version":"2.36","purl":"pkg:deb/debian/libc6@2.36"},`, 1<<14) + `{}]}`)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if scanned(content, 64<<10) {
			b.Fatal("an SBOM looks like a manifest")
		}
	}
}
