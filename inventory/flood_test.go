package inventory_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// wide is an image of a repository with that many layers that nobody else has, and
// without bytes.
func wide(repository oci.Repository, seed string, layers int) oci.Image {
	img := oci.Image{
		Reference: oci.Reference{Repository: repository, Digest: digest(seed)}, MediaType: oci.MediaTypeImageManifest,
		Manifest: oci.Manifest{Kind: oci.KindImage, MediaType: oci.MediaTypeImageManifest},
	}
	img.Manifest.Config = oci.Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest("config of " + seed)}
	for i := range layers {
		img.Manifest.Layers = append(img.Manifest.Layers, oci.Descriptor{Digest: digest(fmt.Sprint(seed, i))})
	}
	return img
}

// flooded is a bench whose lineage knows what was vouched for: a signed index, its
// child, and an image that is refused.
type flooded struct {
	*bench
	parent, child, denied oci.Image
}

func newFlooded(t testing.TB, facts int) flooded {
	in := newIntegration(t, "release-team", nil)
	b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "p", "**", in)}, in)
	b.remember(inventory.NewLineage(facts))
	f := flooded{bench: b, child: some(t, "child"), denied: some(t, "denied")}
	f.parent = index(t, api, "", f.child.Reference.Digest)
	b.results.say(f.parent.Reference.Digest, "release-team", verified)
	b.pull(f.parent)
	b.pull(f.child)
	b.pull(f.denied)
	f.check("before the flood")
	return f
}

// remember gives the bench a lineage that is told what was vouched for.
func (b *bench) remember(l *inventory.Lineage) {
	b.stop()
	b.lineage = l
	b.engine.Lineage = l
	b.memory = inventory.NewMemory(inventory.MemoryConfig{VerifiedTTL: time.Hour, Lineage: l})
	b.recorder = inventory.NewRecorder(b.engine, b.memory, newLog(b.log))
	b.run(inventory.ReverifyConfig{Interval: time.Hour})
}

// forget replaces the engine's lineage by an empty one.
func (b *bench) forget() {
	b.stop()
	b.engine.Lineage = inventory.NewLineage(0)
	b.run(inventory.ReverifyConfig{Interval: time.Hour})
}

func (f flooded) check(when string) {
	f.t.Helper()
	if d := f.pull(f.child); d.Verdict != policy.Allow {
		f.t.Errorf("%s: the child of the signed index: %s", when, d.Message)
	}
	blob := f.denied.Manifest.Layers[0].Digest
	d, err := f.engine.DecideBlob(f.t.Context(), policy.Request{Kind: policy.KindPull, Reference: oci.Reference{Repository: api}}, blob)
	check(f.t, err)
	if d.Verdict != policy.Deny {
		f.t.Errorf("%s: the layer of the refused image: %s", when, d.Message)
	}
	if n := f.lineage.Facts(); n > inventory.DefaultFacts {
		f.t.Errorf("%s: %d facts", when, n)
	}
}

func TestRefusedImagesDriveOutNeitherASignedIndexNorARefusalElsewhere(t *testing.T) {
	for name, test := range map[string]struct{ facts, repositories, images, layers int }{
		"of one other repository, ten times the memory": {inventory.DefaultFacts, 1, 2000, 1000},
		"of two other repositories":                     {20_000, 2, 200, 1000},
		"of a thousand other repositories":              {20_000, 1000, 2000, 100},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlooded(t, test.facts)
			defer f.stop()
			for i := range test.images {
				from := oci.Repository{Registry: "docker.io", Path: fmt.Sprint("me/own", i%test.repositories)}
				if d := f.pull(wide(from, fmt.Sprint("flood", i), test.layers)); d.Verdict != policy.Deny {
					t.Fatal(d.Message)
				}
			}
			f.check("after it")
		})
	}
}

func TestServedImagesThatNobodyVouchesForDriveOutNoSignedIndex(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "p", "docker.io/acme/**", in)}, in)
	defer func() { b.stop() }()
	b.remember(inventory.NewLineage(4000))
	child := some(t, "child")
	parent := index(t, api, "", child.Reference.Digest)
	b.results.say(parent.Reference.Digest, "release-team", verified)
	b.pull(parent)
	for i := range 1000 {
		from := oci.Repository{Registry: "docker.io", Path: fmt.Sprint("me/own", i%100)}
		if d := b.pull(wide(from, fmt.Sprint("flood", i), 100)); d.Verdict != policy.Allow {
			t.Fatal(d.Message)
		}
	}
	if d := b.pull(child); d.Verdict != policy.Allow {
		t.Error(d.Message)
	}
	if n := b.lineage.Facts(); n > 4000/4+2 {
		t.Errorf("images that nobody vouches for have %d facts of 4000", n)
	}
}

// Whoever signs much in one repository leaves the others at least half.
func TestOneRepositoryHasAtMostHalfWhileOthersNeedIt(t *testing.T) {
	f := newFlooded(t, 4000)
	defer f.stop()
	for i := range 100 {
		img := wide(other, fmt.Sprint("flood", i), 100)
		f.results.say(img.Reference.Digest, "release-team", verified)
		f.pull(img)
	}
	f.check("one repository")
	if n := f.lineage.Facts(); n < 3000-101 {
		t.Errorf("it has %d facts, although nobody else needs the room", n)
	}
	for i := range 100 {
		img := wide(oci.Repository{Registry: "docker.io", Path: "acme/third"}, fmt.Sprint("third", i), 14)
		f.results.say(img.Reference.Digest, "release-team", verified)
		f.pull(img)
	}
	last := wide(oci.Repository{Registry: "docker.io", Path: "acme/third"}, "third0", 14)
	if got := listing(t, f.lineage, last.Reference.Repository, policy.BlobOf, last.Manifest.Layers[0].Digest); len(got) != 1 {
		t.Error("a repository with half of the facts lost one to a larger one")
	}
}

func TestIndexesThatNobodySignedDoNotHideTheSignedOne(t *testing.T) {
	f := newFlooded(t, 0)
	defer f.stop()
	for i := range 3 * inventory.MaxListing {
		f.pull(index(t, api, fmt.Sprint("evil ", i), f.child.Reference.Digest))
	}
	f.check("after them")
}

// An index that is refused may still verify its child for one integration.
func TestAnIndexThatIsRefusedItselfIsRememberedByTheChildThatIsServed(t *testing.T) {
	release, qa := newIntegration(t, "release-team", nil), newIntegration(t, "qa-team", nil)
	both, err := policy.New("both", policy.Spec{
		Images: []string{"**"}, Signers: []string{"release-team", "qa-team"}, Require: "All", Behavior: "InformAndEnforce",
	}, func(name string) (*verify.Integration, bool) {
		return map[string]*verify.Integration{"release-team": release, "qa-team": qa}[name], true
	}, func(string) bool { return true })
	if both == nil {
		t.Fatal(err)
	}
	b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{both}, qa, release)
	defer func() { b.stop() }()
	b.remember(inventory.NewLineage(4000))
	child := some(t, "child")
	parent := index(t, api, "", child.Reference.Digest)
	grand := index(t, api, "", parent.Reference.Digest)
	b.results.say(grand.Reference.Digest, "qa-team", verified)
	b.results.say(child.Reference.Digest, "release-team", verified)
	if d := b.pull(grand); d.Verdict != policy.Deny {
		t.Fatal(d.Message)
	}
	b.pull(parent)
	for _, when := range []string{"before", "after"} {
		if d := b.pull(child); d.Verdict != policy.Allow {
			t.Errorf("%s the flood: %s", when, d.Message)
		}
		for i := range 100 {
			b.pull(wide(api, fmt.Sprint("flood", i), 100))
		}
	}
	if got := listing(t, b.lineage, api, policy.ChildOf, child.Reference.Digest); len(got) != 1 || got[0] != parent.Reference.Digest {
		t.Errorf("listed by %v", got)
	}
}

func TestALineageThatForgotIsReminded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlooded(t, 0)
		defer func() { f.stop() }()
		// Both the facts and their store are gone.
		f.forget()
		time.Sleep(period)
		if r := result(t, f.memory, f.child, "release-team"); r.Status != verify.Verified || r.InheritedFrom != f.parent.Reference.Digest {
			t.Errorf("remembered as %+v", r)
		}
		if got := f.changes.taken(); got != "" {
			t.Errorf("told %s", got)
		}
	})
}

// A result that is inherited must not shorten the way to what it is inherited from,
// or one signed index would vouch for any depth.
func TestInheritanceEndsAtItsDepthHoweverOftenItIsServed(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "p", "**", in)}, in)
	defer func() { b.stop() }()
	b.remember(inventory.NewLineage(0))
	at := some(t, "leaf")
	chain := []oci.Image{at}
	for i := range policy.MaxAncestry + 1 {
		at = index(t, api, fmt.Sprint("level ", i), at.Reference.Digest)
		chain = append(chain, at)
	}
	top := len(chain) - 1
	b.results.say(chain[top].Reference.Digest, "release-team", verified)
	for range 3 {
		for level := top; level >= 0; level-- {
			want := policy.Allow
			if top-level > policy.MaxAncestry {
				want = policy.Deny
			}
			if d := b.pull(chain[level]); d.Verdict != want {
				t.Errorf("%d levels below what is signed: got %s, want %s: %s", top-level, d.Verdict, want, d.Message)
			}
		}
	}
}
