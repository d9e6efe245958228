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

// cacheOf is a memory that knows images behind an LRU of a size.
func cacheOf(t *testing.T, size int, images ...oci.Image) (*inventory.Results, *inventory.Memory) {
	m := inventory.NewMemory(inventory.MemoryConfig{})
	r := inventory.NewRecorder(&fixed{decision: policy.Decision{Verdict: policy.Allow}}, m, nil)
	for _, img := range images {
		remember(t, r, pull(img), img)
	}
	return inventory.NewResults(verify.NewLRU(size, nil), m), m
}

func keyOf(img oci.Image) verify.CacheKey {
	return verify.CacheKey{Repository: img.Reference.Repository, Digest: img.Reference.Digest, Integration: "release-team", Revision: "r1"}
}

// now fills in what a result of key has when it is made now.
func now(key verify.CacheKey, r verify.Result) verify.Result {
	r.Integration, r.Revision, r.JudgedAt, r.CollectedAt = key.Integration, key.Revision, time.Now(), time.Now()
	return r
}

func TestACacheSmallerThanTheMemoryLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var images []oci.Image
		for i := range 100 {
			images = append(images, some(t, fmt.Sprint(i)))
		}
		c, _ := cacheOf(t, 1, images...)
		until := time.Now().Add(time.Hour)
		for _, img := range images {
			c.Put(t.Context(), keyOf(img), now(keyOf(img), verified), until)
		}
		time.Sleep(time.Hour - time.Nanosecond)
		for _, img := range images {
			if got, fresh, found := c.Get(t.Context(), keyOf(img)); !fresh || !found || got.Status != verify.Verified || got.Signer != "release-2026" {
				t.Fatalf("got %v, fresh %v, found %v", got.Status, fresh, found)
			}
		}
		time.Sleep(time.Nanosecond)
		for _, img := range images {
			if got, fresh, found := c.Get(t.Context(), keyOf(img)); fresh || !found || got.JudgedAt.IsZero() {
				t.Fatalf("past its end: got %v, fresh %v, found %v", got.Status, fresh, found)
			}
		}
		time.Sleep(24 * time.Hour)
		if _, _, found := c.Get(t.Context(), keyOf(images[0])); found {
			t.Error("after a day it still says when it was Verified")
		}
	})
}

func TestResultsAreOfOneKey(t *testing.T) {
	img, stranger := some(t, "a"), some(t, "stranger")
	c, m := cacheOf(t, 1, img)
	until := time.Now().Add(time.Hour)
	c.Put(t.Context(), keyOf(img), now(keyOf(img), verified), until)
	c.Put(t.Context(), keyOf(stranger), now(keyOf(stranger), verified), until)
	for name, change := range map[string]func(*verify.CacheKey){
		"another repository":  func(k *verify.CacheKey) { k.Repository = other },
		"another revision":    func(k *verify.CacheKey) { k.Revision = "r2" },
		"another integration": func(k *verify.CacheKey) { k.Integration = "spare" },
		"another digest":      func(k *verify.CacheKey) { k.Digest = digest("x") },
	} {
		key := keyOf(img)
		change(&key)
		if _, _, found := c.Get(t.Context(), key); found {
			t.Errorf("%s: found", name)
		}
	}
	if _, fresh, _ := c.Get(t.Context(), keyOf(stranger)); !fresh || m.Counts().Images != 1 {
		t.Errorf("an image that was not seen: fresh %v, %d images", fresh, m.Counts().Images)
	}
}

func TestUnavailableNeverReplacesAVerifiedThatIsValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		img, filler := some(t, "a"), some(t, "filler")
		c, m := cacheOf(t, 1, img, filler)
		key, soon := keyOf(img), func() time.Time { return time.Now().Add(5 * time.Second) }
		c.Put(t.Context(), key, now(key, verified), time.Now().Add(time.Hour))
		c.Put(t.Context(), keyOf(filler), now(keyOf(filler), unsigned), time.Now().Add(time.Minute))
		c.Put(t.Context(), key, now(key, unavailable), soon())
		if got, fresh, _ := c.Get(t.Context(), key); got.Status != verify.Verified || !fresh {
			t.Errorf("got %v, fresh %v", got.Status, fresh)
		}
		if r := result(t, m, img, "release-team"); r.Status != verify.Verified || r.LastAttemptFailed != verify.Timeout {
			t.Errorf("remembered as %+v", r)
		}
		time.Sleep(4 * time.Hour)
		c.Put(t.Context(), key, now(key, unavailable), soon())
		if got, fresh, _ := c.Get(t.Context(), key); got.Status != verify.Unavailable || !fresh {
			t.Errorf("past its end: got %v, fresh %v", got.Status, fresh)
		}
	})
}

func TestARejectionReplacesAVerifiedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		img := some(t, "a")
		c, m := cacheOf(t, 1, img)
		key := keyOf(img)
		c.Put(t.Context(), key, now(key, verified), time.Now().Add(time.Hour))
		time.Sleep(time.Minute)
		c.Put(t.Context(), key, now(key, otherKey), time.Now().Add(time.Minute))
		if got, fresh, _ := c.Get(t.Context(), key); got.Status != verify.Untrusted || !fresh {
			t.Errorf("got %v, fresh %v", got.Status, fresh)
		}
		r := result(t, m, img, "release-team")
		if r.Status != verify.Untrusted || r.Reason != verify.KeyMismatch || !r.Since.Equal(time.Now()) || r.LastVerifiedAt.IsZero() {
			t.Errorf("remembered as %+v", r)
		}
		time.Sleep(time.Minute)
		if _, fresh, found := c.Get(t.Context(), key); fresh || found {
			t.Error("a rejection past its end is found")
		}
	})
}

func TestAResultThatIsVerifiedThroughAnIndexFromTheStartIsNoChange(t *testing.T) {
	in := newIntegration(t, "spare", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		child := some(t, "child")
		parent := index(t, api, "", child.Reference.Digest)
		b.results.say(parent.Reference.Digest, "spare", verified)
		b.pull(parent)
		b.pull(child)
		// As verify does for integrations that no policy names: after the answer,
		// and from the image's own evidence alone.
		c := inventory.NewResults(verify.NewLRU(1, nil), b.memory)
		key := verify.CacheKey{Repository: api, Digest: child.Reference.Digest, Integration: "spare", Revision: in.Revision()}
		c.Put(t.Context(), key, now(key, unsigned), time.Now().Add(time.Minute))
		time.Sleep(period)
		if r := result(t, b.memory, child, "spare"); r.Status != verify.Verified || r.InheritedFrom != parent.Reference.Digest {
			t.Errorf("got %+v", r)
		}
		if got := b.records.taken(); len(got) != 0 {
			t.Errorf("told %s", got[0].Message)
		}
		c.Put(t.Context(), key, now(key, unsigned), time.Now().Add(time.Minute))
		if r := result(t, b.memory, child, "spare"); r.Status != verify.Verified {
			t.Errorf("its own result took the index's away: %+v", r)
		}
		b.results.say(parent.Reference.Digest, "spare", otherKey)
		time.Sleep(period)
		var told int
		for _, d := range b.records.taken() {
			if d.Image.Digest == child.Reference.Digest && d.Results[0].Status == verify.Unsigned {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the index is not trusted any more: told %d times of the child", told)
		}
	})
}
