package oci_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestIsArtifact(t *testing.T) {
	const signature = oci.MediaTypeSimpleSigning
	image := func(layers ...oci.Descriptor) oci.Manifest {
		return oci.Manifest{Kind: oci.KindImage, Layers: layers}
	}
	of := func(mediaType string, size int64) oci.Descriptor {
		return oci.Descriptor{MediaType: mediaType, Size: size}
	}
	index := func(entries ...oci.Descriptor) oci.Manifest {
		return oci.Manifest{Kind: oci.KindIndex, Manifests: entries}
	}
	linux := &oci.Platform{OS: "linux", Architecture: "amd64"}
	for _, test := range []struct {
		name     string
		manifest oci.Manifest
		size     int
		want     bool
	}{
		{"the zero value", oci.Manifest{}, 0, false},
		{"a signature", image(of(signature, 241)), 500, true},
		{"two signatures and an SBOM", image(of(signature, 241), of(signature, 241), of("text/spdx+json", 9)), 500, true},
		{"a bundle", image(of("application/vnd.dev.sigstore.bundle.v0.3+json", 667)), 887, true},
		{"no layers", image(), 500, false},
		{"no layers but an artifact type", oci.Manifest{Kind: oci.KindImage, ArtifactType: signature}, 500, false},
		{"a layer that a runtime unpacks", image(of("application/vnd.oci.image.layer.v1.tar+gzip", 1)), 500, false},
		{"one such layer among signatures", image(of(signature, 1), of("application/vnd.docker.image.rootfs.diff.tar.gzip", 1)), 500, false},
		{"a type of our list with a parameter", image(of(signature+";a=b", 1)), 500, false},
		{"a type of our list as a beginning", image(of("application/vnd.dev.sigstore.bundle.v0.3+json+tar", 1)), 500, false},
		{"a type of our list in other letter case", image(of("Text/SPDX", 1)), 500, false},
		{"a program for a WebAssembly runtime", image(of("application/vnd.wasm.content.layer.v1+wasm", 1)), 500, false},
		{"an unknown bundle", image(of("application/vnd.dev.sigstore.bundle.v9+json", 1)), 500, false},
		{"at the limit", image(of(signature, oci.MaxArtifactBytes-500)), 500, true},
		{"a byte over", image(of(signature, oci.MaxArtifactBytes-499)), 500, false},
		{"together a byte over", image(of(signature, oci.MaxArtifactBytes-500), of(signature, 1)), 500, false},
		{"sizes whose sum overflows", image(of(signature, math.MaxInt64), of(signature, math.MaxInt64), of(signature, 2)), 500, false},
		{"a manifest that is itself over", image(of(signature, 0)), oci.MaxArtifactBytes + 1, false},
		{"an index of artifacts", index(oci.Descriptor{ArtifactType: "a/b"}), 500, true},
		{"an empty index", index(), 500, false},
		{"an index with an image", index(oci.Descriptor{ArtifactType: "a/b"}, oci.Descriptor{}), 500, false},
		{"an index with a platform", index(oci.Descriptor{ArtifactType: "a/b", Platform: linux}), 500, false},
		{"an index with an empty platform", index(oci.Descriptor{ArtifactType: "a/b", Platform: &oci.Platform{}}), 500, false},
	} {
		if got := test.manifest.IsArtifact(test.size); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAnIndexOfArtifactsIsBoundedAndEmbedsNothing(t *testing.T) {
	entry := oci.Descriptor{ArtifactType: "a/b"}
	many := oci.Manifest{Kind: oci.KindIndex}
	for range oci.MaxArtifactEntries {
		many.Manifests = append(many.Manifests, entry)
	}
	if !many.IsArtifact(1) {
		t.Error("an index at the limit is no artifact")
	}
	many.Manifests = append(many.Manifests, entry)
	if many.IsArtifact(1) {
		t.Error("an index over the limit is an artifact")
	}
	body := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageIndex + `","manifests":[{"mediaType":"` + oci.MediaTypeImageManifest +
		`","digest":"` + oci.SHA256([]byte("{}")).String() + `","size":2,"artifactType":"a/b","data":"e30="}]}`
	manifest, err := oci.ParseManifest([]byte(body), "")
	if err != nil {
		t.Fatal(err)
	}
	if !manifest.Manifests[0].Embedded || manifest.IsArtifact(len(body)) {
		t.Error("an entry that carries its content is not seen")
	}
}

// v7 is the header of an old tar archive in text alone: names, octal digits and
// spaces, as JSON that ends in the last field.
func v7(name string, size int) []byte {
	header := make([]byte, 512)
	for i := range header {
		header[i] = ' '
	}
	copy(header, name)
	copy(header[100:], "0000755 0000000 0000000 ")
	copy(header[124:], fmt.Sprintf("%011o 00000000000 ", size))
	copy(header[148:], "        ")
	header[156] = '0'
	sum := 0
	for _, c := range header {
		sum += int(c)
	}
	copy(header[148:], fmt.Sprintf("%06o  ", sum))
	return header
}

func TestIsInertLayer(t *testing.T) {
	const signature, spdx = oci.MediaTypeSimpleSigning, "text/spdx"
	manifest := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` +
		oci.SHA256([]byte("{}")).String() + `","size":2},"layers":[]}`
	for _, test := range []struct {
		name      string
		mediaType string
		content   []byte
		want      bool
	}{
		{"a simple signing payload", signature, []byte(`{"critical":{}}`), true},
		{"an SBOM in text", spdx, []byte("SPDXVersion: SPDX-2.3\n"), true},
		{"text where JSON is due", signature, []byte("SPDXVersion: SPDX-2.3\n"), false},
		{"nothing", spdx, nil, false},
		{"an executable", spdx, []byte("\x7fELF\x02\x01\x01\x00"), false},
		{"gzip", spdx, []byte{0x1f, 0x8b, 8, 0}, false},
		{"zstd", spdx, []byte{0x28, 0xb5, 0x2f, 0xfd}, false},
		{"bzip2", spdx, []byte("BZh91AY&SY"), false},
		{"no UTF-8", spdx, []byte{'a', 0xff}, false},
		{"an escape character", spdx, []byte("a\x1b[0m"), false},
		{"a tar archive in text", spdx, v7("bin/run.sh", 0), false},
		{"a tar archive in JSON", signature, append(v7(`{"a":"bin`, 512), strings.Repeat(" ", 510)+`"}`...), false},
		{"a manifest", signature, []byte(manifest), false},
	} {
		if got := oci.IsInertLayer(test.mediaType, test.content); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
	if _, err := tar.NewReader(bytes.NewReader(v7("bin/run.sh", 0))).Next(); err != nil {
		t.Errorf("the archive in text is none: %v", err)
	}
}

func TestIsInertConfig(t *testing.T) {
	layers := []oci.Descriptor{{MediaType: oci.MediaTypeSimpleSigning, Digest: oci.SHA256([]byte("a"))}}
	signed, other := layers[0].Digest.String(), oci.SHA256([]byte("b")).String()
	for config, want := range map[string]bool{
		`{"architecture":"","created":"0001-01-01T00:00:00Z","history":[],"os":"","rootfs":{"type":"layers","diff_ids":[]},"config":{}}`: true,
		`{}`:                        true,
		`{"config":null}`:           true,
		`{"os":"linux"}`:            false,
		`{"architecture":"amd64"}`:  false,
		`{"config":{"Cmd":["sh"]}}`: false,
		`{"config":{},"config":{}}`: false,
		`{"Config":{"Cmd":["sh"]}}`: false,
		`{"container_config":{}}`:   false,
		`{"os":""} {"os":"linux"}`:  false,
		`{"rootfs":{"type":"layers","diff_ids":["` + signed + `"]}}`:                 true,
		`{"rootfs":{"diff_ids":["` + signed + `"],"type":"layers"}}`:                 true,
		`{"rootfs":{"type":"layers","diff_ids":["` + other + `"]}}`:                  false,
		`{"rootfs":{"type":"layers","diff_ids":["` + signed + `","` + other + `"]}}`: false,
		`{"rootfs":{"type":"layers","diff_ids":[],"diff_ids":["` + other + `"]}}`:    false,
		`{"rootfs":{"type":"layers","Diff_IDs":["` + other + `"],"diff_ids":[]}}`:    false,
		`{"rootfs":{"type":"layers","diff_ids":["` + signed + `"]},"rootfs":{}}`:     false,
		`{"os":""`:                       false,
		`[]`:                             false,
		``:                               false,
		`{"variant":"v8"}`:               false,
		`{"os":null}`:                    false,
		`{"config":{"Entrypoint":null}}`: false,
	} {
		if got := oci.IsInertConfig([]byte(config), layers); got != want {
			t.Errorf("%s: got %v, want %v", config, got, want)
		}
	}
}

func TestReferrersTag(t *testing.T) {
	digest := oci.SHA256([]byte("a"))
	if got, want := digest.ReferrersTag(), digest.TagName(); got != want {
		t.Errorf("sha256: got %s, want %s", got, want)
	}
	long, err := oci.ParseDigest("sha512:" + strings.Repeat("a", 128))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := long.ReferrersTag(), "sha512-"+strings.Repeat("a", 64); got != want || oci.CheckTag(got) != nil {
		t.Errorf("sha512: got %s, want %s", got, want)
	}
}
