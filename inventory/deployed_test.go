package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

// runs is an image as a watch tells it.
func runs(image oci.Image, tag string) oci.Reference {
	ref := image.Reference
	ref.Tag = tag
	return ref
}

// registry is a Resolver of a few images.
type registry struct {
	mu     sync.Mutex
	images map[string]oci.Image
	err    error
	asked  []string
}

func (r *registry) Resolve(_ context.Context, ref oci.Reference) (oci.Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ref.String())
	if r.err != nil {
		return oci.Image{}, r.err
	}
	image, found := r.images[ref.String()]
	if !found {
		return oci.Image{}, &oci.Error{Code: oci.CodeManifestUnknown, Message: "no such manifest"}
	}
	return image, nil
}

func (r *registry) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

func TestADeployedImageThatNobodyPulledIsVerifiedOnTheSchedule(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	p := newPolicy(t, "prod-signed", "**", in)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{p}, in)
		defer b.stop()
		a := some(t, "a")
		if dropped := b.memory.Deployed([]oci.Reference{runs(a, "1"), runs(a, "2"), {Repository: api}}); dropped != 0 {
			t.Errorf("%d were dropped", dropped)
		}
		time.Sleep(5 * time.Second)
		if n := len(b.results.asked()); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		got, found := b.memory.Image(api, a.Reference.Digest)
		if !found || !got.Deployed || len(got.Tags) != 2 || got.SeenCount != 0 || b.memory.Counts().Deployed != 1 {
			t.Errorf("got %+v", got)
		}
		if n := b.memory.Counts().Violations["prod-signed"]; n != 1 {
			t.Errorf("%d violations", n)
		}
		time.Sleep(10 * time.Hour)
		if n := len(b.results.asked()); n < 10 || n > 12 {
			t.Errorf("asked %d times in ten hours", n)
		}
		b.results.say(a.Reference.Digest, "release-team", verified)
		time.Sleep(time.Hour)
		if n := b.memory.Counts().Violations["prod-signed"]; n != 0 || result(t, b.memory, a, "release-team").Status != verified.Status {
			t.Errorf("%d violations", n)
		}
		// What runs no more is no longer marked, and stays like any other.
		b.memory.Deployed(nil)
		if got, found := b.memory.Image(api, a.Reference.Digest); !found || got.Deployed || b.memory.Counts().Deployed != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAManifestOfAPlatformIsJudgedWithTheIndexOfItsTag(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	p := newPolicy(t, "prod-signed", "**", in)
	synctest.Test(t, func(t *testing.T) {
		child := some(t, "a")
		parent := index(t, api, "salt", child.Reference.Digest)
		tag := oci.Reference{Repository: api, Tag: "1"}
		from := &registry{images: map[string]oci.Image{child.Reference.String(): child, tag.String(): parent}, err: errors.New("away")}
		b := newBench(t, inventory.ReverifyConfig{Resolver: from}, []*policy.Policy{p}, in)
		defer b.stop()
		b.results.say(parent.Reference.Digest, "release-team", verified)
		b.memory.Deployed([]oci.Reference{runs(child, "1")})
		time.Sleep(time.Minute)
		if n := len(b.results.asked()); n != 0 || len(b.memory.Counts().Violations) != 0 {
			t.Errorf("what cannot be read was judged, by %d questions", n)
		}
		from.mu.Lock()
		from.err = nil
		from.mu.Unlock()
		time.Sleep(10 * time.Minute)
		got := result(t, b.memory, child, "release-team")
		if got.Status != verified.Status || got.InheritedFrom != parent.Reference.Digest {
			t.Errorf("got %+v", got)
		}
		image, _ := b.memory.Image(api, child.Reference.Digest)
		if image.Kind != oci.KindImage || image.MediaType != child.MediaType {
			t.Errorf("got %+v", image)
		}
		before := from.times()
		time.Sleep(10 * time.Hour)
		if after := from.times(); after != before {
			t.Errorf("it was read %d times more", after-before)
		}
	})
}

func TestAnImageThatItsRegistryHasNoMoreIsJudgedAllTheSame(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{Resolver: &registry{}}, nil, in)
		defer b.stop()
		a := some(t, "a")
		b.results.say(a.Reference.Digest, "release-team", verified)
		b.memory.Deployed([]oci.Reference{runs(a, "1")})
		time.Sleep(5 * time.Second)
		if got := result(t, b.memory, a, "release-team"); got.Status != verified.Status {
			t.Errorf("got %+v", got)
		}
	})
}

func TestADeployedImageLeavesForNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := inventory.NewMemory(inventory.MemoryConfig{Images: 40})
		r := inventory.NewRecorder(&fixed{decision: policy.Decision{Verdict: policy.Allow}}, m, nil)
		refused := inventory.NewRecorder(&fixed{decision: policy.Decision{Verdict: policy.Deny}}, m, nil)
		var running []oci.Reference
		var images []oci.Image
		for i := range 30 {
			images = append(images, some(t, fmt.Sprint("runs ", i)))
			running = append(running, runs(images[i], ""))
		}
		remember(t, r, pull(images[0]), images[0])
		remember(t, refused, pull(images[1]), images[1])
		// Half of the memory is theirs.
		if dropped := m.Deployed(running); dropped != 10 || m.Counts().Deployed != 20 {
			t.Errorf("%d dropped, %d marked", dropped, m.Counts().Deployed)
		}
		m.Deployed(running[:20])
		for i := range 200 {
			one := some(t, fmt.Sprint("served ", i))
			remember(t, r, pull(one), one)
			other := some(t, fmt.Sprint("refused ", i))
			remember(t, refused, pull(other), other)
		}
		if n := remembered(m, images[:20]); n != 20 || m.Counts().Images != 40 {
			t.Errorf("%d of 20 are there, %d images", n, m.Counts().Images)
		}
		// Without the mark they are like others: those that were never served go first.
		m.Deployed(nil)
		for i := range 200 {
			one := some(t, fmt.Sprint("later ", i))
			remember(t, refused, pull(one), one)
		}
		if n := remembered(m, images[:1]); n != 1 {
			t.Error("an image that was served left for refused ones")
		}
		if n := remembered(m, images[1:20]); n != 0 {
			t.Errorf("%d that were never served stayed", n)
		}
	})
}
