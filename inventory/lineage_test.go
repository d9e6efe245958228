package inventory_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

var (
	api   = oci.Repository{Registry: "docker.io", Path: "acme/api"}
	other = oci.Repository{Registry: "docker.io", Path: "acme/other"}
)

func digest(seed string) oci.Digest { return oci.SHA256([]byte(seed)) }

func descriptor(mediaType string, d oci.Digest) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": d.String(), "size": 1}
}

// index returns an index of repository; salt makes indexes of the same children
// differ.
func index(t testing.TB, repository oci.Repository, salt string, children ...oci.Digest) oci.Image {
	entries := []any{}
	for _, child := range children {
		entries = append(entries, descriptor(oci.MediaTypeImageManifest, child))
	}
	return parse(t, repository, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageIndex, "manifests": entries,
		"annotations": map[string]string{"salt": salt},
	})
}

// image returns an image manifest with one config and layers.
func image(t testing.TB, repository oci.Repository, config oci.Digest, layers ...oci.Digest) oci.Image {
	entries := []any{}
	for _, layer := range layers {
		entries = append(entries, descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer))
	}
	return parse(t, repository, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", config), "layers": entries,
	})
}

func parse(t testing.TB, repository oci.Repository, document any) oci.Image {
	t.Helper()
	body, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := oci.ParseManifest(body, "")
	if err != nil {
		t.Fatal(err)
	}
	return oci.Image{
		Reference: oci.Reference{Repository: repository, Digest: oci.SHA256(body)},
		MediaType: manifest.MediaType, Bytes: body, Manifest: manifest,
	}
}

func record(t testing.TB, l *inventory.Lineage, images ...oci.Image) {
	t.Helper()
	for _, img := range images {
		if err := l.Record(t.Context(), img); err != nil {
			t.Fatal(err)
		}
	}
}

func listing(t testing.TB, l *inventory.Lineage, repository oci.Repository, relation policy.Relation, d oci.Digest) []oci.Digest {
	t.Helper()
	documents, err := l.Listing(t.Context(), repository, relation, d)
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

func TestRelationsAndRepositoriesStayApart(t *testing.T) {
	l := inventory.NewLineage(0)
	manifest, blob := digest("manifest"), digest("blob")
	idx := index(t, api, "", manifest, blob)
	img := image(t, api, digest("config"), blob, manifest, blob)
	record(t, l, idx, img)
	for _, test := range []struct {
		name       string
		repository oci.Repository
		relation   policy.Relation
		digest     oci.Digest
		want       []oci.Digest
	}{
		{"a manifest is the child of its index", api, policy.ChildOf, manifest, []oci.Digest{idx.Reference.Digest}},
		{"a layer is a blob of its image", api, policy.BlobOf, blob, []oci.Digest{img.Reference.Digest}},
		{"a config is a blob of its image", api, policy.BlobOf, digest("config"), []oci.Digest{img.Reference.Digest}},
		{"a layer with a manifest's digest makes it no child", api, policy.BlobOf, manifest, []oci.Digest{img.Reference.Digest}},
		{"an entry with a blob's digest is a child, no blob", api, policy.ChildOf, blob, []oci.Digest{idx.Reference.Digest}},
		{"another repository knows nothing", other, policy.ChildOf, manifest, nil},
		{"a config is no child", api, policy.ChildOf, digest("config"), nil},
		{"an index is not listed by itself", api, policy.ChildOf, idx.Reference.Digest, nil},
		{"nothing lists what was never seen", api, policy.BlobOf, digest("unseen"), nil},
		{"no relation has no facts", api, 0, idx.Reference.Digest, nil},
		{"no digest has no facts", api, policy.BlobOf, oci.Digest{}, nil},
	} {
		if got := listing(t, l, test.repository, test.relation, test.digest); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestListingBeginsWithTheLatest(t *testing.T) {
	l := inventory.NewLineage(0)
	child := digest("child")
	first, second := index(t, api, "1", child), index(t, api, "2", child)
	record(t, l, first, second, second)
	want := []oci.Digest{second.Reference.Digest, first.Reference.Digest}
	if got := listing(t, l, api, policy.ChildOf, child); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := l.Facts(); got != 2 {
		t.Errorf("got %d facts, want 2", got)
	}
}

func TestListingIsACopy(t *testing.T) {
	l := inventory.NewLineage(0)
	child := digest("child")
	parent := index(t, api, "", child)
	record(t, l, parent)
	listing(t, l, api, policy.ChildOf, child)[0] = digest("evil")
	if got := listing(t, l, api, policy.ChildOf, child); got[0] != parent.Reference.Digest {
		t.Errorf("got %v", got)
	}
}

// An attacker who pushes many indexes of one child pushes the true one out of
// the list; the next pull of the true one brings it back.
func TestAPulledIndexComesBackIntoAFullListing(t *testing.T) {
	l := inventory.NewLineage(0)
	child := digest("child")
	mine := index(t, api, "mine", child)
	record(t, l, mine)
	for i := range inventory.MaxListing {
		record(t, l, index(t, api, fmt.Sprint("evil ", i), child))
	}
	got := listing(t, l, api, policy.ChildOf, child)
	if len(got) != inventory.MaxListing || slices.Contains(got, mine.Reference.Digest) {
		t.Fatalf("got %d documents, mine among them: %v", len(got), slices.Contains(got, mine.Reference.Digest))
	}
	record(t, l, mine)
	if got := listing(t, l, api, policy.ChildOf, child); got[0] != mine.Reference.Digest || len(got) != inventory.MaxListing {
		t.Errorf("an index that was pulled again is not the first of %d", len(got))
	}
	if got := l.Facts(); got != inventory.MaxListing {
		t.Errorf("got %d facts, want %d", got, inventory.MaxListing)
	}
}

func TestMemoryIsBoundedAndDropsWhatWasUsedLeastRecently(t *testing.T) {
	const limit = 100
	l := inventory.NewLineage(limit)
	kept, dropped := digest("kept"), digest("dropped")
	mine, theirs := index(t, api, "1", kept), index(t, api, "2", dropped)
	record(t, l, theirs, mine)
	for i := range 3 * limit {
		record(t, l, image(t, api, digest(fmt.Sprint("config ", i)), digest(fmt.Sprint("layer ", i))))
		if got := l.Facts(); got > limit {
			t.Fatalf("got %d facts, limit %d", got, limit)
		}
		if got := listing(t, l, api, policy.ChildOf, kept); len(got) != 1 {
			t.Fatalf("a fact in use was dropped after %d images", i)
		}
	}
	if got := listing(t, l, api, policy.ChildOf, dropped); len(got) != 0 {
		t.Errorf("got %v, want it dropped", got)
	}
	record(t, l, theirs)
	if got := listing(t, l, api, policy.ChildOf, dropped); len(got) != 1 {
		t.Error("an image whose facts were dropped was not recorded again")
	}
}

func TestADocumentHasAtMostHalfOfItsPart(t *testing.T) {
	l := inventory.NewLineage(40)
	var children []oci.Digest
	for i := range 50 {
		children = append(children, digest(fmt.Sprint(i)))
	}
	idx, small := index(t, api, "", children...), image(t, other, digest("config"), digest("layer"))
	record(t, l, small)
	for range 3 {
		record(t, l, idx)
		if got := l.Facts(); got != 2+5 {
			t.Errorf("got %d facts, want 7", got)
		}
	}
	if got := listing(t, l, api, policy.ChildOf, children[0]); len(got) != 1 {
		t.Error("the first entry is not known")
	}
	if got := listing(t, l, other, policy.BlobOf, digest("layer")); len(got) != 1 {
		t.Error("it drove out another repository")
	}
}

func TestLineageIsSafeForConcurrentUse(t *testing.T) {
	l := inventory.NewLineage(500)
	var images []oci.Image
	for i := range 200 {
		images = append(images, image(t, api, digest(fmt.Sprint("config ", i)), digest("shared"), digest(fmt.Sprint("layer ", i))))
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range images {
				img := images[(i*7+worker*25)%len(images)]
				if err := l.Record(t.Context(), img); err != nil {
					t.Error(err)
				}
				if _, err := l.Listing(t.Context(), api, policy.BlobOf, img.Manifest.Layers[0].Digest); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := l.Facts(); got > 500 || got == 0 {
		t.Errorf("got %d facts", got)
	}
}

// BenchmarkRecordAgain is a warm pull: everything is remembered.
func BenchmarkRecordAgain(b *testing.B) {
	l := inventory.NewLineage(0)
	var layers []oci.Digest
	for i := range 20 {
		layers = append(layers, digest(fmt.Sprint(i)))
	}
	img := image(b, api, digest("config"), layers...)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Record(b.Context(), img); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordNew records images that were never seen, with shared and own
// layers.
func BenchmarkRecordNew(b *testing.B) {
	l := inventory.NewLineage(0)
	var layers []oci.Digest
	for i := range 20 {
		layers = append(layers, digest(fmt.Sprint(i)))
	}
	images := make([]oci.Image, 2000)
	for i := range images {
		images[i] = image(b, api, digest(fmt.Sprint("config ", i)), layers[i%20], digest(fmt.Sprint("own ", i)))
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%len(images) == 0 {
			l = inventory.NewLineage(0)
		}
		if err := l.Record(b.Context(), images[n%len(images)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListing looks up one child.
func BenchmarkListing(b *testing.B) {
	l := inventory.NewLineage(0)
	child := digest("child")
	record(b, l, index(b, api, "", child))
	b.ReportAllocs()
	for b.Loop() {
		if documents, err := l.Listing(b.Context(), api, policy.ChildOf, child); err != nil || len(documents) != 1 {
			b.Fatal(documents, err)
		}
	}
}
