package proxy

import (
	"encoding/json"
	"strings"
	"testing"

	"vouchsafe/oci"
)

// pointsSomewhere reports whether encoding/json, as the runtimes use it, finds a
// descriptor in b.
func pointsSomewhere(b []byte) bool {
	type descriptor struct{ Digest *json.RawMessage }
	var read struct {
		Config            descriptor
		Layers, Manifests []descriptor
	}
	if json.Unmarshal(b, &read) != nil {
		return false
	}
	for _, one := range append(append(read.Layers, read.Manifests...), read.Config) {
		if one.Digest != nil {
			return true
		}
	}
	return false
}

// What any reader may take for a manifest is looked at as one, however it is
// spelled.
func FuzzLooksLikeManifest(f *testing.F) {
	digest := `"digest":"` + oci.SHA256([]byte("{}")).String() + `"`
	for _, seed := range []string{
		`{}`, `[]`, `{"layers":[]}`, `{"config":{` + digest + `}}`, `{"layers":[{},{` + digest + `}]}`,
		`{"LAYERS":[{` + digest + `}]}`, "{\"layer\u017f\":[{" + digest + `}]}`, `{"layer\u017f":[{"DIGEST":1}]}`,
		`{"manifests":[{"Dige\u017ft":null}],"manifests":[]}`, `{"manifests":null,"config":[{` + digest + `}]}`,
		`{"a":1,"a":2,"config":{"digest":{}}}`, `{"layers":[1,{` + digest + `}]}`, `{"layers":{"0":{` + digest + `}}}`,
		"{\"layers\":[{\"digest\":\"\xff\"}]}", `{"config":{"a":{"digest":1}}}`, `{"layers":[{` + digest + `}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if pointsSomewhere(b) && !looksLikeManifest(b) {
			t.Errorf("%q points at content and does not look like it", b)
		}
	})
}

func TestWhatLooksLikeAManifest(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    bool
	}{
		"a descriptor behind one that is none": {`{"layers":[{},{"digest":"x"}]}`, true},
		"a descriptor behind a number":         {`{"layers":[1,{"digest":"x"}]}`, true},
		"a letter that folds to s":             {"{\"layer\u017f\":[{\"digest\":\"x\"}]}", true},
		"the same, escaped":                    {`{"manifest\u017f":[{"digest":"x"}]}`, true},
		"an index of nothing":                  {`{"manifests":[]}`, true},
		"a field twice":                        {`{"config":{},"config":{}}`, true},
		"a field twice in two letter cases":    {`{"config":{},"CONFIG":{}}`, true},
		"what an early end leaves":             {`{"layers":[{"digest":"x"}],`, true},
		"no list at all":                       {`{"manifests":null}`, false},
		"a digest elsewhere":                   {`{"rootfs":{"digest":"x"},"digest":"x"}`, false},
		"an array":                             {`[{"layers":[{"digest":"x"}]}]`, false},
		"text":                                 {`layers`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := looksLikeManifest([]byte(test.content)); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// BenchmarkLookingAtAList is the most that one blob can cost.
func BenchmarkLookingAtAList(b *testing.B) {
	for name, entry := range map[string]string{"numbers": "0,", "objects": `{"":0},`, "empty": "{},"} {
		list := []byte(`{"layers":[` + strings.Repeat(entry, oci.MaxManifestBytes/len(entry)-10) + `0]}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if looksLikeManifest(list) {
					b.Fatal("a list without digests looks like a manifest")
				}
			}
		})
	}
}
