package origin

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/e2e/internal/tool"
)

// Image is an image that was pushed.
type Image struct {
	// Repository and Tag are its name without the registry.
	Repository, Tag string
	// Digest is "sha256:…" of its manifest or index.
	Digest string
	// Salt is the content of its file /salt, which no other image has.
	Salt string
	// Blobs are the digests of its config and layers; of an index, of those of
	// its image for linux/amd64.
	Blobs []string
	// Children are the digests that an index lists; nil for an image.
	Children []string

	host string
}

// ByTag is the image's name at its registry, as the one who pushes calls it.
func (i Image) ByTag() string { return i.host + "/" + i.Repository + ":" + i.Tag }

// ByDigest is [Image.ByTag] with the digest instead of the tag.
func (i Image) ByDigest() string { return i.host + "/" + i.Repository + "@" + i.Digest }

// Push pushes an image that no test pushed before: containerd keeps content by
// digest over all repositories, so an image that shared a layer with another
// would be pulled without a request for it. Its only program is the payload,
// which runs with the arguments args.
func (r *Registry) Push(tb testing.TB, repository, tag string, args ...string) Image {
	tb.Helper()
	image, salt := build(tb, "amd64", args)
	pushed := Image{Repository: repository, Tag: tag, Salt: salt, host: r.Host}
	check(tb, remote.Write(parse(tb, pushed.ByTag()), image, remote.WithAuth(r.pusher())))
	pushed.Digest = digest(tb, image)
	pushed.Blobs = blobs(tb, image)
	return pushed
}

// PushIndex pushes an index of two images, for linux/amd64 and linux/arm64.
func (r *Registry) PushIndex(tb testing.TB, repository, tag string, args ...string) Image {
	tb.Helper()
	amd64, salt := build(tb, "amd64", args)
	arm64, _ := build(tb, "arm64", args)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), platform(amd64, "amd64"), platform(arm64, "arm64"))
	pushed := Image{Repository: repository, Tag: tag, Salt: salt, host: r.Host}
	check(tb, remote.WriteIndex(parse(tb, pushed.ByTag()), index, remote.WithAuth(r.pusher())))
	pushed.Digest = digest(tb, index)
	pushed.Blobs = blobs(tb, amd64)
	pushed.Children = []string{digest(tb, amd64), digest(tb, arm64)}
	return pushed
}

func platform(image v1.Image, architecture string) mutate.IndexAddendum {
	return mutate.IndexAddendum{
		Add:        image,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
	}
}

// build makes an image of one layer: the payload and a salt.
func build(tb testing.TB, architecture string, args []string) (v1.Image, string) {
	tb.Helper()
	payload, err := os.ReadFile(tool.Path("payload"))
	check(tb, err)
	salt := rand.Text()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for file, content := range map[string][]byte{"salt": []byte(salt), "payload": payload} {
		check(tb, writer.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(content))}))
		_, err := writer.Write(content)
		check(tb, err)
	}
	check(tb, writer.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	check(tb, err)
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	check(tb, err)
	config, err := image.ConfigFile()
	check(tb, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Config.Entrypoint = append([]string{"/payload"}, args...)
	image, err = mutate.ConfigFile(image, config)
	check(tb, err)
	return image, salt
}

func blobs(tb testing.TB, image v1.Image) []string {
	tb.Helper()
	manifest, err := image.Manifest()
	check(tb, err)
	found := []string{manifest.Config.Digest.String()}
	for _, layer := range manifest.Layers {
		found = append(found, layer.Digest.String())
	}
	return found
}

func digest(tb testing.TB, of interface{ Digest() (v1.Hash, error) }) string {
	tb.Helper()
	hash, err := of.Digest()
	check(tb, err)
	return hash.String()
}

func parse(tb testing.TB, reference string) name.Reference {
	tb.Helper()
	parsed, err := name.ParseReference(reference)
	check(tb, err)
	return parsed
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Child returns the n-th image that an index lists; it has no tag.
func (r *Registry) Child(index Image, n int) Image {
	return Image{Repository: index.Repository, Digest: index.Children[n], host: r.Host}
}

// Copy gives an image or index that was pushed a second name.
func (r *Registry) Copy(tb testing.TB, image Image, repository string) Image {
	tb.Helper()
	source, err := remote.Get(parse(tb, image.ByDigest()), remote.WithAuth(r.pusher()))
	check(tb, err)
	copied := image
	copied.Repository = repository
	pusher, err := remote.NewPusher(remote.WithAuth(r.pusher()))
	check(tb, err)
	check(tb, pusher.Push(tb.Context(), parse(tb, copied.ByTag()), source))
	return copied
}
