package inventory_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// storing lets the memory know each result, as verification does: an image's own,
// with no look at the indexes that list it.
type storing struct {
	*fakeResults
	cache *inventory.Results
}

func (s storing) Results(ctx context.Context, q verify.Query) ([]verify.Result, error) {
	results, err := s.fakeResults.Results(ctx, q)
	for _, r := range results {
		key := verify.CacheKey{Repository: q.Repository, Digest: q.Digest, Integration: r.Integration, Revision: r.Revision}
		s.cache.Put(ctx, key, r, time.Now().Add(time.Minute))
	}
	return results, err
}

// family is a signed index above a child that carries no signature.
type family struct {
	*bench
	in     *verify.Integration
	top    oci.Image
	child  oci.Image
	others []oci.Image
}

func newFamily(t *testing.T, seed string, depth int) family {
	f := family{in: newIntegration(t, "release-team", nil), child: some(t, seed)}
	f.bench = newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "prod-signed", "**", f.in)}, f.in)
	f.engine.Results = storing{f.results, inventory.NewResults(verify.NewLRU(1000, nil), f.memory)}
	f.top = f.child
	for range depth {
		if f.top.Reference != f.child.Reference {
			f.others = append(f.others, f.top)
		}
		f.top = index(t, api, seed, f.top.Reference.Digest)
	}
	f.say(verified)
	return f
}

func (f family) say(r verify.Result) { f.results.say(f.top.Reference.Digest, "release-team", r) }

// of returns what was told of an image and release-team, and the verdicts with it.
func of(records []policy.Decision, img oci.Image) string {
	var told []string
	for _, d := range records {
		if _, text, _ := strings.Cut(d.Message, ": release-team was "); d.Image.Digest == img.Reference.Digest {
			text, _, _ = strings.Cut(text, " (")
			text, _, _ = strings.Cut(text, ";")
			told = append(told, fmt.Sprintf("%s: %v", text, d.Verdict))
		}
	}
	return strings.Join(told, "; ")
}

func TestAChildIsUnavailableWhileTheIndexThatCouldVerifyItIs(t *testing.T) {
	for name, test := range map[string]struct {
		depth int
		// forgotten: the index is not in the memory; pulled: the child is pulled
		// all the time; edited: the policy is replaced in the outage.
		forgotten, pulled, edited bool
	}{
		"nobody pulls":                     {depth: 1},
		"the child is pulled meanwhile":    {depth: 1, pulled: true},
		"an index of an index":             {depth: 2},
		"an index of an index, and pulls":  {depth: 2, pulled: true},
		"the index has left the memory":    {depth: 1, forgotten: true},
		"it has left, and pulls":           {depth: 2, forgotten: true, pulled: true},
		"the policy is edited in between":  {depth: 1, edited: true},
		"it is edited, and pulls":          {depth: 2, edited: true, pulled: true},
		"it is edited, the index has left": {depth: 1, edited: true, forgotten: true},
	} {
		t.Run(name, func(t *testing.T) {
			first := map[oci.Digest]int{}
			for seed := range 5 {
				synctest.Test(t, func(t *testing.T) {
					f := newFamily(t, fmt.Sprint(seed), test.depth)
					defer f.stop()
					all := append([]oci.Image{f.top}, f.others...)
					for _, img := range all {
						if test.forgotten {
							_, err := f.engine.Decide(t.Context(), pull(img), img)
							check(t, err)
							continue
						}
						f.pull(img)
					}
					f.pull(f.child)
					f.results.asked()
					f.say(unavailable)
					for minute := range 180 {
						time.Sleep(time.Minute)
						synctest.Wait()
						if test.pulled {
							if d := f.pull(f.child); d.Verdict != policy.Unavailable {
								t.Fatalf("minute %d: a pull: %s", minute, d.Message)
							}
						}
						if test.edited && minute%10 == 0 {
							f.rules.set([]*policy.Policy{newPolicy(t, "prod-signed", "**", f.in)}, f.in)
						}
						if n := f.memory.Counts(); len(n.Violations)+n.Resolved > 0 {
							t.Fatalf("minute %d: violations %+v", minute, n)
						}
					}
					for _, q := range f.results.asked() {
						if q.MaxAge > 0 {
							if q.Digest == f.child.Reference.Digest {
								first[oci.Digest{}]++
							} else {
								first[f.top.Reference.Digest]++
							}
							break
						}
					}
					if got := of(f.records.taken(), f.child); got != "Verified, now Unavailable: Unavailable" {
						t.Errorf("told of the child: %q", got)
					}
					f.say(verified)
					time.Sleep(period / 4)
					synctest.Wait()
					if got := of(f.records.taken(), f.child); got != "Unavailable, now Verified: Allow" {
						t.Errorf("the index is back: told of the child: %q", got)
					}
					f.say(unsigned)
					time.Sleep(period)
					synctest.Wait()
					if got := of(f.records.taken(), f.child); got != "Verified, now Unsigned: Deny" {
						t.Errorf("the index's signature is withdrawn: told of the child: %q", got)
					}
					if n := f.memory.Counts().Violations["prod-signed"]; n == 0 {
						t.Error("a withdrawn signature opens no violation")
					}
				})
			}
			if !test.forgotten && !test.pulled && (first[oci.Digest{}] == 0 || len(first) < 2) {
				t.Errorf("only one order of index and child was seen: %v", first)
			}
		})
	}
}

// Its own signature is gone for certain, but its index may verify it.
func TestAChildsOwnSignatureIsWithdrawnWhileItsIndexIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, "a", 1)
		defer f.stop()
		f.results.say(f.child.Reference.Digest, "release-team", verified)
		f.pull(f.top)
		f.pull(f.child)
		f.say(unavailable)
		f.results.say(f.child.Reference.Digest, "release-team", unsigned)
		time.Sleep(period)
		synctest.Wait()
		if got := of(f.records.taken(), f.child); got != "Verified, now Unavailable: Unavailable" {
			t.Errorf("told %q", got)
		}
		if d := f.pull(f.child); d.Verdict != policy.Unavailable {
			t.Errorf("a pull: %s", d.Message)
		}
		if n := len(f.memory.Violations()); n != 0 {
			t.Errorf("%d violations", n)
		}
	})
}

// The lineage of the engine is replaced, so it knows nothing, and the index cannot
// be asked.
func TestAChildIsUnavailableWhenTheLineageForgotTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, "a", 2)
		defer func() { f.stop() }()
		f.pull(f.top)
		f.pull(f.others[0])
		f.pull(f.child)
		f.forget()
		f.say(unavailable)
		time.Sleep(3 * period)
		synctest.Wait()
		if got := of(f.records.taken(), f.child); got != "Verified, now Unavailable: Unavailable" {
			t.Errorf("told of the child: %q", got)
		}
		if n := len(f.memory.Violations()); n != 0 {
			t.Errorf("%d violations", n)
		}
	})
}

// Nobody named the integration, so nobody had looked at the index; then a policy
// does.
func TestAPolicyThatComesOpensNoViolationByHalfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, "a", 1)
		defer f.stop()
		f.rules.set(nil, f.in)
		time.Sleep(2 * time.Second)
		f.pull(f.top)
		f.pull(f.child)
		cache := inventory.NewResults(verify.NewLRU(1, nil), f.memory)
		key := verify.CacheKey{Repository: api, Digest: f.child.Reference.Digest, Integration: "release-team", Revision: f.in.Revision()}
		cache.Put(t.Context(), key, now(key, unsigned), time.Now().Add(time.Minute))
		f.rules.set([]*policy.Policy{newPolicy(t, "prod-signed", "**", f.in)}, f.in)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if r := result(t, f.memory, f.child, "release-team"); r.Status != verify.Verified {
			t.Errorf("remembered as %+v", r)
		}
		if n := f.memory.Counts(); len(n.Violations)+n.Resolved > 0 {
			t.Errorf("violations %+v", n)
		}
		if got := f.records.taken(); len(got) > 0 {
			t.Errorf("told %s", got[0].Message)
		}
	})
}

func TestARegistryThatDoesNotAnswerForTheSignaturesOfAnIndexAlone(t *testing.T) {
	t.Parallel()
	g := newLab(t)
	ref, children, err := g.registry.PushIndex("acme/api", "v1", t.Name())
	check(t, err)
	check(t, g.key.SignTag(g.registry, ref))
	top := index(t, ref.Repository, "", children[0].Digest)
	top.Reference = ref
	child := some(t, "shape of any image")
	child.Reference = children[0]
	remember(t, g.recorder, pull(top), top)
	if d, err := g.recorder.Decide(t.Context(), pull(child), child); err != nil || d.Verdict != policy.Allow {
		t.Fatal(d.Message, err)
	}
	time.Sleep(labInterval)
	g.broken.Store(func(r *http.Request) bool { return strings.Contains(r.URL.Path, ref.Digest.Hex()) })
	if got := g.told(child); got != "Verified, now Unavailable: Unavailable" {
		t.Errorf("told %q", got)
	}
	// As long again as a rejection lasts several times.
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		d, err := g.recorder.Decide(t.Context(), pull(child), child)
		check(t, err)
		if n := len(g.memory.Violations()); d.Verdict != policy.Unavailable || n > 0 {
			t.Fatalf("a pull: %s; %d violations", d.Message, n)
		}
	}
	if got := of(g.records.taken(), child); got != "" {
		t.Errorf("told %q", got)
	}
	g.broken.Store(func(*http.Request) bool { return false })
	if got := g.told(child); got != "Unavailable, now Verified: Allow" {
		t.Errorf("the registry is back: told %q", got)
	}
	if r := result(t, g.memory, child, "release-team"); r.Status != verify.Verified || r.InheritedFrom != ref.Digest {
		t.Errorf("remembered as %+v", r)
	}
}

// told waits until something is told of an image.
func (g *labGateway) told(img oci.Image) string {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if told := of(g.records.taken(), img); told != "" {
			return told
		}
	}
	return ""
}
