package verify_test

import (
	"runtime"
	"testing"
	"time"

	"vouchsafe/verify"
)

func TestResultsOthersAreJudgedAfterTheAnswer(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	in, others := s.integration(t, "k"), other.integration(t, "other")
	b.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{in}, Others: []*verify.Integration{others}})
	b.Close()
	key := verify.CacheKey{Repository: b.world.repository("app"), Digest: digest, Integration: "other", Revision: others.Revision()}
	if got, fresh, found := b.cache.Get(t.Context(), key); !found || !fresh || got.Status != verify.Untrusted {
		t.Errorf("got %v, fresh %v, found %v", got.Status, fresh, found)
	}
	if len(b.judged) != 2 || b.asks() != 1 {
		t.Errorf("got %d results from %d collections, want 2 from 1", len(b.judged), b.asks())
	}
	if got := b.results(t, verify.Query{Digest: someImage("b"), Needed: []*verify.Integration{in}}); got[0].Status != verify.Unsigned {
		t.Errorf("after Close: got %v, want an answer all the same", got[0].Status)
	}
}

func TestResultsWithNothingNeededCollectOnce(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	q := verify.Query{Digest: digest, Others: []*verify.Integration{s.integration(t, "k"), other.integration(t, "other")}}
	kept := func(in *verify.Integration) verify.Status {
		got, _, _ := b.cache.Get(t.Context(), verify.CacheKey{
			Repository: b.world.repository("app"), Digest: digest, Integration: in.Name(), Revision: in.Revision(),
		})
		return got.Status
	}
	await(t, "both results", func() bool {
		b.results(t, q)
		return kept(q.Others[0]) == verify.Verified && kept(q.Others[1]) == verify.Untrusted
	})
	b.clock.pass(2 * time.Hour)
	for range 10 {
		b.results(t, q)
	}
	b.Close()
	if b.asks() != 1 || len(b.judged) != 2 {
		t.Errorf("got %d collections and %d judgements, want 1 and 2", b.asks(), len(b.judged))
	}
}

// await calls condition until it holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
		runtime.Gosched()
	}
}
