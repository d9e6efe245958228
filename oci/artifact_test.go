package oci_test

import (
	"math"
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
