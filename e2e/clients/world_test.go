package clients_test

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
)

const (
	policyName = "prod-signed"
	// goneRegistry is the name of a registry that is listed and where nobody
	// answers: no other test listens on a port below 1024.
	goneRegistry = "gone.example.com"
	goneAddress  = "127.0.0.1:9"
)

// kinds are the shapes of what is pulled.
var kinds = []struct {
	name string
	push func(tb testing.TB, at *origin.Registry, repository string) origin.Image
}{
	{"image", func(tb testing.TB, at *origin.Registry, repository string) origin.Image {
		return at.Push(tb, repository, "1", "hello")
	}},
	{"index", func(tb testing.TB, at *origin.Registry, repository string) origin.Image {
		return at.PushIndex(tb, repository, "1", "hello")
	}},
	{"docker", pushDocker},
}

// pushDocker pushes an image with the media types of Docker's second schema.
func pushDocker(tb testing.TB, at *origin.Registry, repository string) origin.Image {
	tb.Helper()
	pushed := at.Push(tb, repository, "oci", "hello")
	source, err := remote.Image(reference(tb, pushed.ByDigest()))
	check(tb, err)
	config, err := source.ConfigFile()
	check(tb, err)
	layers, err := source.Layers()
	check(tb, err)
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.DockerManifestSchema2), types.DockerConfigJSON)
	for _, layer := range layers {
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.DockerLayer})
		check(tb, err)
	}
	config = config.DeepCopy()
	config.Author = "docker" // else the config would be the other image's
	image, err = mutate.ConfigFile(image, config)
	check(tb, err)
	pushed.Tag = "1"
	check(tb, remote.Write(reference(tb, pushed.ByTag()), image))
	manifest, err := image.Manifest()
	check(tb, err)
	pushed.Digest = digest(tb, image)
	pushed.Blobs[0] = manifest.Config.Digest.String()
	return pushed
}

func digest(tb testing.TB, image v1.Image) string {
	tb.Helper()
	hash, err := image.Digest()
	check(tb, err)
	return hash.String()
}

func reference(tb testing.TB, text string) name.Reference {
	tb.Helper()
	parsed, err := name.ParseReference(text)
	check(tb, err)
	return parsed
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// world is a registry behind a door, and a gateway that pulls through the door.
type world struct {
	at    *origin.Registry
	door  *door
	g     *gateway.Gateway
	key   *cosign.Key
	pause origin.Image
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{at: origin.Distribution(tb, nil), key: cosign.NewKey(tb, signer())}
	w.door = newDoor(tb, w.at.Recorder)
	w.pause = w.at.Push(tb, "system/pause", "1", "pause")
	w.g = gateway.Start(tb, map[string]string{
		"registry.yaml":    gateway.Registry("docker.io", w.door.host),
		"gone.yaml":        gateway.Registry(goneRegistry, goneAddress),
		"integration.yaml": gateway.Integration("release-team", w.key.PEM(tb)),
		"policy.yaml": gateway.Policy(policyName, "InformAndEnforce", `"docker.io/acme/**", "docker.io/library/**", "`+goneRegistry+`/**"`,
			[]string{"release-team"}),
	})
	return w
}

// signer is cosign 3 with bundles, its own default.
func signer() cosign.Layout { return cosign.Layouts()[3] }

// sign signs images, all with one run of the program.
func (w *world) sign(tb testing.TB, images []origin.Image) {
	tb.Helper()
	others := make([]string, 0, len(images))
	for _, image := range images[1:] {
		others = append(others, image.ByDigest())
	}
	w.key.Sign(tb, w.at, images[0], signer(), others...)
}

// layer is the digest of an image's one layer.
func layer(image origin.Image) string { return image.Blobs[len(image.Blobs)-1] }

// fate is what can become of a pull. Its name and that of a kind make the name of
// a repository.
type fate struct {
	name string
	// registry is the image's, as the gateway calls it.
	registry string
	signed   bool
	cut      cut
	// arrives reports whether the pull succeeds.
	arrives bool
	// mirror: the image has its own name, and the node's configuration sends it
	// to the gateway.
	mirror bool
}

var fates = []fate{
	{name: "allowed", registry: "docker.io", signed: true, arrives: true},
	{name: "refused", registry: "docker.io"},
	{name: "dead", registry: goneRegistry},
	{name: "cut", registry: "docker.io", signed: true, cut: always},
	{name: "cut-once", registry: "docker.io", signed: true, cut: once, arrives: true},
	{name: "allowed-mirror", registry: "docker.io", signed: true, arrives: true, mirror: true},
	{name: "refused-mirror", registry: "docker.io", mirror: true},
}

// cell is one pull of one program.
type cell struct {
	title string
	fate  fate
	image origin.Image
}

// cells pushes what a program pulls, and signs what is to be signed. Each cell
// has an image of its own, since programs keep content by digest. The mirror form
// is tried with indexes, by programs that have it.
func (w *world) cells(tb testing.TB, program string, mirror bool) []cell {
	tb.Helper()
	var cells []cell
	var signed []origin.Image
	for _, kind := range kinds {
		for _, fate := range fates {
			if fate.mirror && (!mirror || kind.name != "index") {
				continue
			}
			image := kind.push(tb, w.at, strings.Join([]string{"acme", program, kind.name, fate.name}, "/"))
			w.door.cut(layer(image), fate.cut)
			if fate.signed {
				signed = append(signed, image)
			}
			cells = append(cells, cell{kind.name + " " + fate.name, fate, image})
		}
	}
	w.sign(tb, signed)
	return cells
}
