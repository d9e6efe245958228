package corpus

import (
	"bytes"
	"context"
	"mime"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/manifest"
)

// reading is what a parser sees in a document: its kind and the digests that
// whoever goes by it fetches next.
type reading struct {
	// by names the parser and the type under which it read.
	by, kind string
	digests  []string
}

func (r reading) String() string { return r.by + ": " + r.kind + " " + strings.Join(r.digests, " ") }

func newReading(by, kind string, digests []string) reading {
	slices.Sort(digests)
	return reading{by, kind, slices.Compact(digests)}
}

// readings returns every reading of body, which came with contentType, that the
// parsers of containerd and containers/image accept. The type is the header's,
// or whatever an index that lists the document may call it.
func readings(ctx context.Context, body []byte, contentType string) []reading {
	said, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		said = contentType
	}
	types := []string{said, ociManifest, ociIndex, dockerManifest, dockerList, schema1, schema1Signed, manifest.GuessMIMEType(body)}
	slices.Sort(types)
	var all []reading
	for _, mediaType := range slices.Compact(types) {
		for _, read := range []func(context.Context, []byte, string) (reading, bool){byContainerd, byContainersImage, byContainersList} {
			if r, ok := read(ctx, body, mediaType); ok {
				all = append(all, r)
			}
		}
	}
	return all
}

// differ returns two of the readings that are not the same, and whether there
// are such.
func differ(all []reading) (a, b reading, found bool) {
	for _, r := range all {
		if r.kind != all[0].kind || !slices.Equal(r.digests, all[0].digests) {
			return all[0], r, true
		}
	}
	return reading{}, reading{}, false
}

// byContainerd reads as containerd does when it pulls: by the type of the
// descriptor.
func byContainerd(ctx context.Context, body []byte, mediaType string) (reading, bool) {
	kind := "image"
	switch {
	case images.IsIndexType(mediaType):
		kind = "index"
	case !images.IsManifestType(mediaType):
		return reading{}, false
	}
	at := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
	children, err := images.Children(ctx, provider(body), at)
	if err != nil {
		return reading{}, false
	}
	var found []string
	for _, child := range children {
		found = append(found, child.Digest.String())
	}
	return newReading("containerd as "+mediaType, kind, found), true
}

// provider is a content store with one content.
type provider []byte

// ReaderAt implements [content.Provider].
func (p provider) ReaderAt(context.Context, ocispec.Descriptor) (content.ReaderAt, error) {
	return readerAt{bytes.NewReader(p)}, nil
}

type readerAt struct{ *bytes.Reader }

// Close implements [content.ReaderAt].
func (readerAt) Close() error { return nil }

// byContainersImage reads one image as Podman, CRI-O and Skopeo do.
func byContainersImage(_ context.Context, body []byte, mediaType string) (reading, bool) {
	parsed, err := manifest.FromBlob(body, mediaType)
	if err != nil {
		return reading{}, false
	}
	var found []string
	if config := parsed.ConfigInfo().Digest; config != "" {
		found = append(found, config.String())
	}
	for _, layer := range parsed.LayerInfos() {
		found = append(found, layer.Digest.String())
	}
	return newReading("containers/image as "+mediaType, "image", found), true
}

// byContainersList reads a list as they do.
func byContainersList(_ context.Context, body []byte, mediaType string) (reading, bool) {
	list, err := manifest.ListFromBlob(body, mediaType)
	if err != nil {
		return reading{}, false
	}
	var found []string
	for _, instance := range list.Instances() {
		found = append(found, instance.String())
	}
	return newReading("containers/image as "+mediaType, "index", found), true
}

// TestCorpusConfusesParsers shows that the corpus is hostile: what the gateway
// has to refuse holds documents that the parsers do read as two things.
func TestCorpusConfusesParsers(t *testing.T) {
	confusing := 0
	for _, r := range manifests() {
		if len(r.body) > 1<<20 {
			continue // It would be slow, and is hostile by its size.
		}
		one, other, two := differ(readings(t.Context(), []byte(r.body), r.contentType))
		if !two {
			continue
		}
		confusing++
		if r.want == served {
			t.Errorf("%s/%s is to be served, and is read as two things:\n%s\n%s", r.family, r.name, one, other)
		}
	}
	if confusing == 0 {
		t.Error("no document is read as two things, so serving one would not be noticed")
	}
	t.Logf("%d documents are read as two things", confusing)
}
