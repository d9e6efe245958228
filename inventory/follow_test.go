package inventory_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

func TestAChangedIntegrationIsFollowedAtOnce(t *testing.T) {
	before, after := newIntegration(t, "release-team", nil), newIntegration(t, "release-team", nil)
	spare := newIntegration(t, "spare", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "prod-signed", "docker.io/acme/api", before)}, before, spare)
		defer b.stop()
		var named, others []oci.Image
		for i := range 20 {
			img, elsewhere := some(t, fmt.Sprint(i)), image(t, other, digest("config"), digest(fmt.Sprint("other", i)))
			named, others = append(named, img), append(others, elsewhere)
			for _, one := range []oci.Image{elsewhere, img} {
				b.results.say(one.Reference.Digest, "release-team", verified)
				b.pull(one)
			}
		}
		time.Sleep(period)
		b.results.asked()
		for _, img := range named {
			b.results.say(img.Reference.Digest, "release-team", otherKey)
		}
		b.rules.set([]*policy.Policy{newPolicy(t, "prod-signed", "docker.io/acme/api", after)}, after, spare)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		queries := b.results.asked()
		// Four are asked at once, so the last of the first may be overtaken.
		const overtaken = 4
		for i, q := range queries {
			if q.MaxAge != 0 && q.at.Sub(queries[0].at) < time.Second {
				t.Errorf("question %d does not take young evidence: %v", i, q.MaxAge)
			}
			if first := q.Repository == api; i < len(named)-overtaken && !first {
				t.Errorf("question %d is about an image that no changed policy matches", i)
			}
		}
		if len(queries) != len(named)+len(others) {
			t.Errorf("%d questions about %d images", len(queries), len(named)+len(others))
		}
		if n := len(b.records.taken()); n != len(named) {
			t.Errorf("%d records, want %d", n, len(named))
		}
		if n := b.memory.Counts().Violations["prod-signed"]; n != len(named) {
			t.Errorf("%d violations, want %d", n, len(named))
		}
		if got := b.changes.taken(); strings.Count(got, "release-team Verified>Untrusted") != len(named) || strings.Contains(got, "spare") {
			t.Errorf("told %s", got)
		}
	})
}

func TestAVerifiedOfTheKeyBeforeDoesNotStandForTheChangedOne(t *testing.T) {
	before, after := newIntegration(t, "release-team", nil), newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, before)
		defer b.stop()
		img := some(t, "a")
		b.results.say(img.Reference.Digest, "release-team", verified)
		b.pull(img)
		time.Sleep(period)
		b.results.say(img.Reference.Digest, "release-team", unavailable)
		b.rules.set(nil, after)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := b.changes.taken(); got != "release-team Verified>Unavailable" {
			t.Errorf("told %q", got)
		}
	})
}

func TestANewIntegrationJudgesWhatWasSeenBeforeAndARemovedOneIsForgotten(t *testing.T) {
	in, added := newIntegration(t, "release-team", nil), newIntegration(t, "spare", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		img := some(t, "a")
		b.results.say(img.Reference.Digest, "spare", verified)
		b.pull(img)
		b.rules.set(nil, in, added)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if r := result(t, b.memory, img, "spare"); r.Status != verify.Verified || r.Revision != added.Revision() {
			t.Errorf("added: got %+v", r)
		}
		b.results.asked()
		b.rules.set(nil, added)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if r := result(t, b.memory, img, "release-team"); r.Status != 0 {
			t.Errorf("removed: got %+v", r)
		}
		if n := len(b.results.asked()); n != 0 {
			t.Errorf("removed: asked %d times", n)
		}
		if got := b.records.taken(); len(got) != 0 {
			t.Errorf("told %s", got[0].Message)
		}
	})
}

func TestAChangedPolicyAsksNobody(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, nil, in)
		defer b.stop()
		for i := range 50 {
			img := some(t, fmt.Sprint(i))
			if i%2 == 0 {
				b.results.say(img.Reference.Digest, "release-team", verified)
			}
			b.pull(img)
		}
		time.Sleep(period)
		b.results.asked()
		open := func() int {
			time.Sleep(2 * time.Second)
			synctest.Wait()
			return b.memory.Counts().Violations["prod-signed"]
		}
		b.rules.set([]*policy.Policy{newPolicy(t, "prod-signed", "**", in)}, in)
		if n := open(); n != 25 {
			t.Errorf("a new policy: %d violations, want 25", n)
		}
		b.rules.set([]*policy.Policy{newPolicy(t, "prod-signed", "registry.acme.com/**", in)}, in)
		if n := open(); n != 0 || b.memory.Counts().Resolved != 25 {
			t.Errorf("it matches nothing any more: %d open, %d resolved", n, b.memory.Counts().Resolved)
		}
		if n := len(b.results.asked()); n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestOneRegistryHasAtMostHalfOfTheWorkers(t *testing.T) {
	before, after := newIntegration(t, "release-team", nil), newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{Workers: 8}, nil, before)
		defer b.stop()
		for i := range 40 {
			b.pull(some(t, fmt.Sprint(i)))
		}
		quay := oci.Repository{Registry: "quay.io", Path: "acme/api"}
		quick := image(t, quay, digest("config"), digest("quick"))
		b.pull(quick)
		time.Sleep(time.Second)
		var mu sync.Mutex
		running, most := 0, 0
		asked := time.Time{}
		b.results.setHook(func(q verify.Query) {
			if q.Repository == quay {
				mu.Lock()
				asked = time.Now()
				mu.Unlock()
				return
			}
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(20 * time.Second)
			mu.Lock()
			running--
			mu.Unlock()
		})
		b.rules.set(nil, after)
		begin := time.Now()
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if most != 4 {
			t.Errorf("%d at once for one registry, want 4", most)
		}
		if asked.IsZero() || asked.Sub(begin) > 2*time.Second {
			t.Errorf("the other registry was asked after %v", asked.Sub(begin))
		}
		if n := b.again.Due(); n != 40 {
			t.Errorf("%d are due, want 40", n)
		}
		if lag := b.again.Lag(); lag < 8*time.Second || lag > 10*time.Second {
			t.Errorf("lag is %v", lag)
		}
	})
}

func TestRulesThatChangeDuringACheckAreFollowedAfterIt(t *testing.T) {
	before, after := newIntegration(t, "release-team", nil), newIntegration(t, "release-team", nil)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "prod-signed", "**", before)}, before)
		defer b.stop()
		img := some(t, "a")
		b.pull(img)
		began := make(chan struct{})
		first := sync.Once{}
		b.results.setHook(func(verify.Query) {
			slow := false
			first.Do(func() { slow = true; close(began) })
			if slow {
				time.Sleep(10 * time.Second)
			}
		})
		<-began
		b.results.asked()
		b.rules.set([]*policy.Policy{newPolicy(t, "prod-signed", "**", after)}, after)
		time.Sleep(2 * time.Second)
		// A pull notices a change meanwhile, which makes the image due, too.
		b.results.say(img.Reference.Digest, "release-team", verified)
		b.pull(img)
		b.results.asked()
		time.Sleep(12 * time.Second)
		synctest.Wait()
		queries := b.results.asked()
		if len(queries) != 2 || queries[1].Needed[0] != after {
			t.Errorf("%d questions after the change, want the end of the check and one about the new rules", len(queries))
		}
		if got := b.changes.taken(); got != "release-team Unsigned>Verified" {
			t.Errorf("told %q", got)
		}
	})
}
