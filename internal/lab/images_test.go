package lab_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

func TestPushImageIsAWholeImage(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	ref, err := r.PushImage("acme/api", "1.4", "a")
	if err != nil {
		t.Fatal(err)
	}
	if ref.Repository != (oci.Repository{Registry: r.Host(), Path: "acme/api"}) || ref.Tag != "1.4" || ref.Digest.IsZero() {
		t.Errorf("got reference %s", ref)
	}
	for _, text := range []string{r.Host() + "/acme/api:1.4", r.Host() + "/acme/api@" + ref.Digest.String()} {
		parsed, err := name.ParseReference(text)
		if err != nil {
			t.Fatal(err)
		}
		image, err := remote.Image(parsed, remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Platform().String(); got != "linux/amd64" {
			t.Errorf("got platform %s, want linux/amd64", got)
		}
	}
}

func TestPushImageIsTheSameForTheSameSeed(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	digests := map[oci.Digest]string{}
	for _, test := range []struct{ repository, tag, seed string }{{"a", "1", "x"}, {"b", "", "x"}, {"a", "2", "y"}} {
		ref, err := r.PushImage(test.repository, test.tag, test.seed)
		if err != nil {
			t.Fatal(err)
		}
		if seed, found := digests[ref.Digest]; found && seed != test.seed {
			t.Errorf("seeds %q and %q give the same image", seed, test.seed)
		}
		digests[ref.Digest] = test.seed
	}
	if len(digests) != 2 {
		t.Errorf("got %d images from 2 seeds", len(digests))
	}
}

func TestPushIndexListsItsChildren(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	index, children, err := r.PushIndex("acme/multi", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(r.Host() + "/acme/multi:1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(parsed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
	raw, err := got.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if !index.Digest.Matches(raw) {
		t.Errorf("the tag is not at %s", index)
	}
	manifest, err := oci.ParseManifest(raw, oci.MediaTypeImageIndex)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"amd64", "arm64"} {
		if d := manifest.Manifests[i]; d.Digest != children[i].Digest || d.Platform.Architecture != want {
			t.Errorf("got entry %d %+v, want %s for %s", i, d, children[i], want)
		}
	}
}

// TestEverythingPushedIsReadStrictly holds what the lab writes against the
// strict reader of the product.
func TestEverythingPushedIsReadStrictly(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	key := newKey(t)
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, sign := range []func(*lab.Registry, oci.Reference) error{key.SignTag, key.SignBundle, key.AttestBundle} {
		if err := sign(r, image); err != nil {
			t.Fatal(err)
		}
	}
	_, body := get(t, r, "/v2/acme/api/manifests/"+image.Digest.TagName(), "")
	var list v1.IndexManifest
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"1": false, image.Digest.TagName(): true, image.Digest.TagName() + ".sig": true}
	for _, d := range list.Manifests {
		names[d.Digest.String()] = true
	}
	if len(names) != 5 {
		t.Errorf("got %d manifests, want 5", len(names))
	}
	for tag, artifact := range names {
		resp, body := get(t, r, "/v2/acme/api/manifests/"+tag, "")
		manifest, err := oci.ParseManifest([]byte(body), resp.Header.Get("Content-Type"))
		if err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		if got := manifest.IsArtifact(len(body)); got != artifact {
			t.Errorf("%s: got IsArtifact %v, want %v", tag, got, artifact)
		}
	}
}
