package oci_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vouchsafe/oci"
)

// hexA and hexB are two digests.
var (
	hexA = "sha256:" + strings.Repeat("a", 64)
	hexB = "sha512:" + strings.Repeat("b", 128)
)

func mustDigest(s string) oci.Digest {
	d, err := oci.ParseDigest(s)
	if err != nil {
		panic(err)
	}
	return d
}

// text fills the short forms of a test's document: CONFIG and LAYER are
// descriptors, A and B digests, OCI… and DOCKER… media types.
func text(document string) string {
	return strings.NewReplacer(
		"CONFIG", `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"`+hexA+`","size":2}`,
		"LAYER", `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"`+hexB+`","size":3}`,
		"ENTRY", `{"mediaType":"`+oci.MediaTypeImageManifest+`","digest":"`+hexA+`","size":4}`,
		"$A", hexA, "$B", hexB,
		"OCIIMAGE", oci.MediaTypeImageManifest, "OCIINDEX", oci.MediaTypeImageIndex,
		"DOCKERIMAGE", oci.MediaTypeDockerManifest, "DOCKERLIST", oci.MediaTypeDockerManifestList,
	).Replace(document)
}

const (
	image = `{"schemaVersion":2,"mediaType":"OCIIMAGE","config":CONFIG,"layers":[LAYER]}`
	index = `{"schemaVersion":2,"mediaType":"OCIINDEX","manifests":[ENTRY]}`
)

// refusal is a document that must not be read, with the reason.
type refusal struct{ name, document, contentType, want string }

func checkRefusals(t *testing.T, tests []refusal) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := oci.ParseManifest([]byte(text(test.document)), test.contentType)
			if err == nil {
				t.Fatalf("got %+v, want %s", m, test.want)
			}
			e, ok := errors.AsType[*oci.Error](err)
			if !ok || e.Code != oci.CodeManifestInvalid || e.Reason != test.want {
				t.Errorf("got error %#v, want reason %s", err, test.want)
			}
			if strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 300 {
				t.Errorf("the message is not one short line: %q", err)
			}
		})
	}
}

func TestParseManifestReadsAnImage(t *testing.T) {
	document := text(`{
		"schemaVersion": 2,
		"mediaType": "OCIIMAGE",
		"artifactType": "application/example",
		"config": CONFIG,
		"layers": [LAYER, {"mediaType":"application/x","digest":"$A","size":9223372036854775807,"urls":["https://a.example/b"],
			"annotations":{"k":"v","é😀":"\ud83d\ude00\n\/"}}],
		"subject": ENTRY,
		"annotations": {},
		"x-unknown": [1, -0.5e+3, true, false, null, {"a":{"b":[]}}]
	}`)
	got, err := oci.ParseManifest([]byte(document), oci.MediaTypeImageManifest+"; charset=utf-8")
	if err != nil {
		t.Fatal(err)
	}
	want := oci.Manifest{
		Kind: oci.KindImage, MediaType: oci.MediaTypeImageManifest, ArtifactType: "application/example",
		Config: oci.Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: mustDigest(hexA), Size: 2},
		Layers: []oci.Descriptor{
			{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: mustDigest(hexB), Size: 3},
			{MediaType: "application/x", Digest: mustDigest(hexA), Size: 1<<63 - 1, Annotations: map[string]string{"k": "v", "é😀": "😀\n/"}},
		},
		Subject: &oci.Descriptor{MediaType: oci.MediaTypeImageManifest, Digest: mustDigest(hexA), Size: 4},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(oci.Digest{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestParseManifestReadsAnIndex(t *testing.T) {
	document := text(`{"schemaVersion":2,"mediaType":"DOCKERLIST","manifests":[ENTRY,
		{"mediaType":"application/x+json;version=1","digest":"$B","size":0,"artifactType":"application/y",
		 "platform":{"os":"linux","architecture":"arm","variant":"v7","os.version":"1","os.features":["f"]}}]}`)
	got, err := oci.ParseManifest([]byte(document), "")
	if err != nil {
		t.Fatal(err)
	}
	want := oci.Manifest{
		Kind: oci.KindIndex, MediaType: oci.MediaTypeDockerManifestList,
		Manifests: []oci.Descriptor{
			{MediaType: oci.MediaTypeImageManifest, Digest: mustDigest(hexA), Size: 4},
			{
				MediaType: "application/x+json;version=1", Digest: mustDigest(hexB), ArtifactType: "application/y",
				Platform: &oci.Platform{OS: "linux", Architecture: "arm", Variant: "v7"},
			},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(oci.Digest{})); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestParseManifestKeepsToItsLimits(t *testing.T) {
	many := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	nested := func(n int) string {
		return strings.Replace(image, "{", `{"x":`+strings.Repeat("[", n)+strings.Repeat("]", n)+",", 1)
	}
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		return strings.Replace(image, "{", "{"+b.String(), 1)
	}
	padded := text(image) + strings.Repeat(" ", oci.MaxManifestBytes-len(text(image)))
	good := map[string]string{
		"most bytes":   padded,
		"most depth":   nested(oci.MaxManifestDepth - 1),
		"most layers":  strings.Replace(image, "LAYER", many(oci.MaxLayers, "LAYER"), 1),
		"most entries": strings.Replace(index, "ENTRY", many(oci.MaxIndexManifests, "ENTRY"), 1),
		"many fields":  wide(60000),
	}
	for name, document := range good {
		if _, err := oci.ParseManifest([]byte(text(document)), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkRefusals(t, []refusal{
		{"a byte more", padded + " ", "", "too_large"},
		{"a level more", nested(oci.MaxManifestDepth), "", "too_deep"},
		{"ten thousand objects in each other", strings.Repeat(`{"a":`, 10000), "", "too_deep"},
		{"a layer more", strings.Replace(image, "LAYER", many(oci.MaxLayers+1, "LAYER"), 1), "", "too_many"},
		{"an entry more", strings.Replace(index, "ENTRY", many(oci.MaxIndexManifests+1, "ENTRY"), 1), "", "too_many"},
		{"fields without end", wide(70000), "", "too_many"},
	})
}

func TestParseManifestRefusesOtherLetterCase(t *testing.T) {
	checkRefusals(t, []refusal{
		{"Manifests alone", `{"schemaVersion":2,"Manifests":[ENTRY],"config":CONFIG,"layers":[LAYER]}`, "", "ambiguous"},
		{"MediaType alone", `{"schemaVersion":2,"MediaType":"OCIIMAGE","config":CONFIG,"layers":[LAYER]}`, "", "ambiguous"},
		{"layers with a long s", `{"schemaVersion":2,"layerſ":[],"manifests":[ENTRY]}`, "", "ambiguous"},
		{"FsLayers", `{"schemaVersion":2,"FsLayers":[],"manifests":[ENTRY]}`, "", "ambiguous"},
		{"Digest in a descriptor", `{"schemaVersion":2,"config":CONFIG,"layers":[{"mediaType":"a/b","digest":"$A","size":1,"URLs":[]}]}`, "", "ambiguous"},
		{"OS in a platform", `{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"$A","size":1,"platform":{"OS":"linux"}}]}`, "", "ambiguous"},
		{"a zero byte at the end of a name", `{"schemaVersion":2,"layers\u0000":[],"manifests":[ENTRY]}`, "", "ambiguous"},
	})
}

// read is what encoding/json, to which letter case and repetition do not
// matter, finds in a document.
type read struct {
	MediaType         string `json:"mediaType"`
	Config            struct{ Digest string }
	Layers, Manifests []struct {
		MediaType, Digest string
		Size              int64
	}
	Subject *struct{ Digest string }
}

func digests[T any](all []T, digest func(T) string) (found []string) {
	for _, d := range all {
		found = append(found, digest(d))
	}
	return found
}

// FuzzParseManifest: never a panic; a refusal has a reason; what is accepted is
// read alike twice, with and without the media type that was found, and by
// encoding/json.
func FuzzParseManifest(f *testing.F) {
	for _, document := range []string{
		image, index,
		`{"schemaVersion":2,"config":CONFIG,"layers":[LAYER,LAYER],"manifests":[]}`,
		`{"schemaVersion":2,"layers":[],"Layers":[LAYER],"config":CONFIG}`,
		`{"schemaVersion":2,"mediaType":"DOCKERIMAGE","config":CONFIG,"layers":[],"subject":ENTRY,"annotations":{"a":"\ud83d\ude00"}}`,
		`{"schemaVersion":1,"fsLayers":[],"history":[],"signatures":[]}`,
		`{"a":1e-7,"b":[[[null,true]]],"c":"\u006c` + "\xff" + `"}`, "\xef\xbb\xbf{}", "[]", "",
	} {
		f.Add([]byte(text(document)), "")
		f.Add([]byte(text(document)), oci.MediaTypeImageIndex)
	}
	f.Fuzz(func(t *testing.T, document []byte, contentType string) {
		m, err := oci.ParseManifest(document, contentType)
		if err != nil {
			if e, ok := errors.AsType[*oci.Error](err); !ok || e.Code != oci.CodeManifestInvalid || e.Reason == "" {
				t.Fatalf("got error %#v without a reason", err)
			}
			return
		}
		again, err := oci.ParseManifest(document, m.MediaType)
		if diff := cmp.Diff(m, again, cmpopts.EquateComparable(oci.Digest{})); err != nil || diff != "" {
			t.Fatalf("the second reading differs: %v\n%s", err, diff)
		}
		checkSameReading(t, document, m)
	})
}

func checkSameReading(t *testing.T, document []byte, m oci.Manifest) {
	t.Helper()
	var other read
	if err := json.Unmarshal(document, &other); err != nil {
		t.Fatalf("encoding/json cannot read it: %v", err)
	}
	want := [][]string{
		digests(m.Layers, func(d oci.Descriptor) string { return fmt.Sprintf("%s %s %d", d.MediaType, d.Digest, d.Size) }),
		digests(m.Manifests, func(d oci.Descriptor) string { return fmt.Sprintf("%s %s %d", d.MediaType, d.Digest, d.Size) }),
		{m.Config.Digest.String()},
	}
	type entry = struct {
		MediaType, Digest string
		Size              int64
	}
	got := [][]string{
		digests(other.Layers, func(d entry) string { return fmt.Sprintf("%s %s %d", d.MediaType, d.Digest, d.Size) }),
		digests(other.Manifests, func(d entry) string { return fmt.Sprintf("%s %s %d", d.MediaType, d.Digest, d.Size) }),
		{other.Config.Digest},
	}
	if !slices.EqualFunc(want, got, slices.Equal[[]string]) {
		t.Fatalf("encoding/json reads %q, ParseManifest %q", got, want)
	}
	if other.MediaType != "" && other.MediaType != m.MediaType {
		t.Fatalf("encoding/json reads the type %q, ParseManifest %q", other.MediaType, m.MediaType)
	}
	if (other.Subject == nil) != (m.Subject == nil) || m.Subject != nil && other.Subject.Digest != m.Subject.Digest.String() {
		t.Fatalf("encoding/json reads the subject %v, ParseManifest %v", other.Subject, m.Subject)
	}
}

// TestParseManifestReadsWhatToolsWrite goes through manifests as tools and
// registries made them; the first part of a file's name is what it must be.
func TestParseManifestReadsWhatToolsWrite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "manifests", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := oci.ParseManifest(b, "application/json")
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		want, _, _ := strings.Cut(filepath.Base(file), "-")
		got := m.Kind.String()
		if m.IsArtifact(len(b)) {
			got = "artifact"
		}
		if got != want {
			t.Errorf("%s: got %s", file, got)
		}
		checkSameReading(t, b, m)
	}
}

func BenchmarkParseManifest(b *testing.B) {
	layers := strings.TrimSuffix(strings.Repeat("LAYER,", 12), ",")
	entry := `{"mediaType":"OCIIMAGE","digest":"$A","size":4,"platform":{"os":"linux","architecture":"amd64"},"annotations":{"k":"v"}}`
	entries := strings.TrimSuffix(strings.Repeat(entry+",", 16), ",")
	for name, document := range map[string]string{
		"image": strings.Replace(image, "LAYER", layers, 1),
		"index": strings.Replace(index, "ENTRY", entries, 1),
	} {
		body := []byte(text(document))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := oci.ParseManifest(body, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
