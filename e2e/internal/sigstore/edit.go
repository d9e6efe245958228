package sigstore

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/e2e/internal/origin"
)

// The annotations of a signature under a tag.
const (
	EntryAnnotation       = "dev.sigstore.cosign/bundle"
	CertificateAnnotation = "dev.sigstore.cosign/certificate"
	ChainAnnotation       = "dev.sigstore.cosign/chain"
	StampAnnotation       = "dev.sigstore.cosign/rfc3161timestamp"
)

// bundleType begins the media type of a bundle, of any version.
const bundleType = "application/vnd.dev.sigstore.bundle"

// Annotations returns those of the first signature under the image's tag.
func Annotations(tb testing.TB, image origin.Image) map[string]string {
	tb.Helper()
	manifest, err := signatures(tb, image).Manifest()
	check(tb, err)
	if len(manifest.Layers) == 0 {
		tb.Fatalf("%s has no signature under its tag", image.ByDigest())
	}
	return manifest.Layers[0].Annotations
}

// Annotate has change write over the annotations of each signature under the
// image's tag, as anybody can who may push there.
func Annotate(tb testing.TB, image origin.Image, change func(annotations map[string]string)) {
	tb.Helper()
	old := signatures(tb, image)
	manifest, err := old.Manifest()
	check(tb, err)
	made := mutate.MediaType(empty.Image, manifest.MediaType)
	for _, descriptor := range manifest.Layers {
		layer, err := old.LayerByDigest(descriptor.Digest)
		check(tb, err)
		change(descriptor.Annotations)
		made, err = mutate.Append(made, mutate.Addendum{Layer: layer, Annotations: descriptor.Annotations, MediaType: descriptor.MediaType})
		check(tb, err)
	}
	check(tb, remote.Write(signatureTag(tb, image), made))
}

func signatures(tb testing.TB, image origin.Image) v1.Image {
	tb.Helper()
	found, err := remote.Image(signatureTag(tb, image))
	check(tb, err)
	return found
}

func signatureTag(tb testing.TB, image origin.Image) name.Tag {
	tb.Helper()
	return digestOf(tb, image).Context().Tag(strings.Replace(image.Digest, ":", "-", 1) + ".sig")
}

func digestOf(tb testing.TB, image origin.Image) name.Digest {
	tb.Helper()
	reference, err := name.NewDigest(image.ByDigest())
	check(tb, err)
	return reference
}

// Bundle returns the one bundle of an image.
func Bundle(tb testing.TB, image origin.Image) map[string]any {
	tb.Helper()
	_, _, text := bundle(tb, image)
	var decoded map[string]any
	check(tb, json.Unmarshal(text, &decoded))
	return decoded
}

// Rebundle has change write over the one bundle of an image.
func Rebundle(tb testing.TB, image origin.Image, change func(bundle map[string]any)) {
	tb.Helper()
	at, manifest, _ := bundle(tb, image)
	decoded := Bundle(tb, image)
	change(decoded)
	text, err := json.Marshal(decoded)
	check(tb, err)
	made := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), manifest.Config.MediaType)
	made, err = mutate.AppendLayers(made, static.NewLayer(text, manifest.Layers[0].MediaType))
	check(tb, err)
	subject, err := remote.Head(digestOf(tb, image))
	check(tb, err)
	final := mutate.Subject(made, *subject).(v1.Image) //nolint:forcetypeassert // it returns what it was given
	digest, err := final.Digest()
	check(tb, err)
	check(tb, remote.Write(at.Context().Digest(digest.String()), final))
	check(tb, remote.Delete(at))
}

// bundle finds the one bundle of an image: its manifest's name, the manifest,
// and the JSON.
func bundle(tb testing.TB, image origin.Image) (name.Digest, *v1.Manifest, []byte) {
	tb.Helper()
	subject := digestOf(tb, image)
	index, err := remote.Referrers(subject)
	check(tb, err)
	list, err := index.IndexManifest()
	check(tb, err)
	for _, entry := range list.Manifests {
		at := subject.Context().Digest(entry.Digest.String())
		found, err := remote.Image(at)
		check(tb, err)
		manifest, err := found.Manifest()
		check(tb, err)
		if len(manifest.Layers) != 1 || !strings.HasPrefix(string(manifest.Layers[0].MediaType), bundleType) {
			continue
		}
		layers, err := found.Layers()
		check(tb, err)
		return at, manifest, read(tb, layers[0])
	}
	tb.Fatalf("%s has no bundle", image.ByDigest())
	return name.Digest{}, nil, nil
}

func read(tb testing.TB, layer v1.Layer) []byte {
	tb.Helper()
	reader, err := layer.Compressed()
	check(tb, err)
	defer reader.Close() //nolint:errcheck // it was read to its end
	text, err := io.ReadAll(reader)
	check(tb, err)
	return text
}
