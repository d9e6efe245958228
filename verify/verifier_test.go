package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"vouchsafe/verify"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a verifier over a world, with its clock and what it observed.
type bench struct {
	*verify.Verifier
	world  *world
	source *httpSource
	clock  *clock
	cache  *verify.LRU

	mu       sync.Mutex
	judged   []verify.Result
	outcomes []string
}

func newBench(t testing.TB, cfg verify.Config) *bench {
	t.Helper()
	b := &bench{world: newWorld(t), source: newSource(), clock: newClock()}
	b.cache = verify.NewLRU(100, b.clock.Now)
	cfg.Now = b.clock.Now
	cfg.Observe = func(r verify.Result, _ time.Duration) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.judged = append(b.judged, r)
	}
	cfg.ObserveCache = func(outcome string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.outcomes = append(b.outcomes, outcome)
	}
	b.Verifier = verify.New(b.source, b.cache, cfg)
	t.Cleanup(b.source.close)
	t.Cleanup(b.Close)
	return b
}

func (b *bench) results(t testing.TB, q verify.Query) []verify.Result {
	t.Helper()
	q.Repository = b.world.repository("app")
	got, err := b.Results(t.Context(), q)
	check(t, err)
	return got
}

// asks returns how many requests the world has seen by .sig tag, one for each
// collection.
func (b *bench) asks() int { return b.source.count("referrers") }

func TestResultsLifetimes(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	tag := "app/manifests/" + digest.TagName() + ".sig"
	for _, c := range []struct {
		name   string
		set    func(w *world)
		status verify.Status
		life   time.Duration
	}{
		{"Verified for 4 h", func(w *world) { w.sig("app", digest, s.layer(t, digest)) }, verify.Verified, 4 * time.Hour},
		{"Unsigned for 60 s", func(*world) {}, verify.Unsigned, time.Minute},
		{"Untrusted for 60 s", func(w *world) { w.sig("app", digest, newSigner(t).layer(t, digest)) }, verify.Untrusted, time.Minute},
		{"Unavailable for 5 s", func(w *world) { w.answer(tag, status(500)) }, verify.Unavailable, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, verify.Config{})
			c.set(b.world)
			q := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}}
			for _, step := range []struct {
				pass   time.Duration
				asks   int
				cached bool
			}{{0, 1, false}, {0, 1, true}, {c.life - time.Millisecond, 1, true}, {time.Millisecond, 2, false}} {
				b.clock.pass(step.pass)
				got := b.results(t, q)[0]
				if got.Status != c.status || got.Cached != step.cached || b.asks() != step.asks {
					t.Errorf("after %v: got %v, cached %v, %d collections; want %v, %v, %d",
						step.pass, got.Status, got.Cached, b.asks(), c.status, step.cached, step.asks)
				}
			}
			if want := []string{"miss", "hit", "hit"}; !slices.Equal(b.outcomes[:3], want) {
				t.Errorf("got cache outcomes %v, want %v first", b.outcomes, want)
			}
		})
	}
}

func TestResultsMaxAge(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}}
	b.results(t, q)
	b.clock.pass(10 * time.Minute)
	q.MaxAge = 10 * time.Minute
	if got := b.results(t, q)[0]; !got.Cached || b.asks() != 1 {
		t.Errorf("just young enough: cached %v, %d collections", got.Cached, b.asks())
	}
	q.MaxAge--
	if got := b.results(t, q)[0]; got.Cached || b.asks() != 2 {
		t.Errorf("too old: cached %v, %d collections", got.Cached, b.asks())
	}
	b.clock.pass(30 * time.Second)
	q.Needed = []*verify.Integration{newSigner(t).integration(t, "other")}
	if b.results(t, q); b.asks() != 2 {
		t.Errorf("evidence young enough for another integration: %d collections, want 2", b.asks())
	}
}

func TestResultsFromKeptEvidence(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	need := func(in *verify.Integration) verify.Query {
		return verify.Query{Digest: digest, Needed: []*verify.Integration{in}}
	}
	b.results(t, need(s.integration(t, "first")))
	if got := b.results(t, need(other.integration(t, "second")))[0]; got.Status != verify.Untrusted || b.asks() != 1 {
		t.Errorf("within a minute any status counts: got %v after %d collections", got.Status, b.asks())
	}
	b.clock.pass(3 * time.Hour)
	if got := b.results(t, need(s.integration(t, "third")))[0]; got.Status != verify.Verified || b.asks() != 1 {
		t.Errorf("after 3 h a Verified counts: got %v after %d collections", got.Status, b.asks())
	}
	if got := b.results(t, need(other.integration(t, "fourth")))[0]; got.Status != verify.Untrusted || b.asks() != 2 {
		t.Errorf("after 3 h nothing else counts: got %v after %d collections", got.Status, b.asks())
	}
	b.clock.pass(time.Hour)
	if b.results(t, need(s.integration(t, "third"))); b.asks() != 2 {
		t.Errorf("fresh evidence of an hour ago: %d collections, want 2", b.asks())
	}
}

func TestResultsFromOldEvidenceAreNotKeptLonger(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	b.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "first")}})
	late := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "late")}}
	b.clock.pass(3 * time.Hour)
	b.results(t, late)
	b.clock.pass(time.Hour)
	if got := b.results(t, late)[0]; got.Cached || b.asks() != 2 {
		t.Errorf("4 h after the evidence: cached %v, %d collections, want a second one", got.Cached, b.asks())
	}
}

func TestResultsChangedIntegrationStopsHitting(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	before := b.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "team")}})
	after := b.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{other.integration(t, "team")}})
	if before[0].Status != verify.Verified || after[0].Status != verify.Untrusted {
		t.Errorf("got %v, then %v", before[0].Status, after[0].Status)
	}
}

func TestResultsOneFlightForAll(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	l := s.layer(t, digest)
	b.world.sig("app", digest, l)
	in, second := s.integration(t, "k"), s.integration(t, "second")
	var wait sync.WaitGroup
	for i := range 100 {
		wait.Go(func() {
			needed := []*verify.Integration{in, second}
			got, err := b.Results(t.Context(), verify.Query{Repository: b.world.repository("app"), Digest: digest, Needed: needed[:1+i%2]})
			if err != nil || got[0].Status != verify.Verified {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	wait.Wait()
	if n := b.source.count("manifests") + b.source.count("referrers") + b.source.count("blobs"); n != 4 {
		t.Errorf("got %d requests for 100 callers, want 4 (tag, API, referrers tag, blob)", n)
	}
}

func TestResultsCallerThatLeaves(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	asked, release := make(chan struct{}), make(chan struct{})
	b.world.answer("app/referrers/"+digest.String(), func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		http.NotFound(w, r)
	})
	q := verify.Query{Repository: b.world.repository("app"), Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := b.Results(ctx, q)
		left <- err
	}()
	<-asked
	stays := make(chan verify.Result)
	go func() {
		got, err := b.Results(t.Context(), q)
		check(t, err)
		stays <- got[0]
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v for the caller that left", err)
	}
	close(release)
	if got := <-stays; got.Status != verify.Verified || b.asks() != 1 {
		t.Errorf("got %v after %d collections for the caller that stayed", got.Status, b.asks())
	}
}

func TestResultsWaitingForATurnRespectsTheCaller(t *testing.T) {
	s := newSigner(t)
	b := newBench(t, verify.Config{Workers: 1, Timeout: 5 * time.Second})
	asked, release := make(chan struct{}), make(chan struct{})
	first, second := someImage("a"), someImage("b")
	b.world.answer("app/referrers/"+first.String(), func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		http.NotFound(w, r)
	})
	in := []*verify.Integration{s.integration(t, "k")}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.results(t, verify.Query{Digest: first, Needed: in})
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	got, err := b.Results(ctx, verify.Query{Repository: b.world.repository("app"), Digest: second, Needed: in})
	if err != nil || got[0].Status != verify.Unavailable || got[0].Reason != verify.Timeout {
		t.Errorf("got %v, %v; want Unavailable, TIMEOUT", got, err)
	}
	close(release)
	<-done
	b.Close()
	if n := b.asks(); n != 1 {
		t.Errorf("got %d collections: nobody waited for the second", n)
	}
}

func TestResultsUnavailable(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	b.world.sig("app", digest, s.layer(t, digest))
	in := s.integration(t, "k")
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{in}}
	verifiedAt := b.clock.Now()
	b.results(t, q)
	b.world.answer("app/manifests/"+digest.TagName()+".sig", status(500))

	b.clock.pass(time.Hour)
	fresh := q
	fresh.MaxAge = time.Second
	got := b.results(t, fresh)[0]
	if got.Status != verify.Unavailable || !got.LastVerifiedAt.Equal(verifiedAt) {
		t.Errorf("re-verified: got %v, last verified %v", got.Status, got.LastVerifiedAt)
	}
	if got := b.results(t, q)[0]; got.Status != verify.Verified {
		t.Errorf("the Verified that still holds was replaced by %v", got.Status)
	}

	b.clock.pass(4 * time.Hour)
	for range 3 {
		got := b.results(t, q)[0]
		if got.Status != verify.Unavailable || !got.LastVerifiedAt.Equal(verifiedAt) {
			t.Errorf("after its end: got %v, last verified %v, want %v", got.Status, got.LastVerifiedAt, verifiedAt)
		}
		b.clock.pass(time.Minute)
	}
	b.clock.pass(24 * time.Hour)
	if got := b.results(t, q)[0]; !got.LastVerifiedAt.IsZero() {
		t.Errorf("after a day: last verified %v, want not known", got.LastVerifiedAt)
	}
}

func TestResultsRejectionEndsLastVerified(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	tag := "app/manifests/" + digest.TagName() + ".sig"
	b.world.sig("app", digest, s.layer(t, digest))
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}}
	b.results(t, q)
	b.clock.pass(5 * time.Hour)
	b.world.answer(tag, http.NotFound)
	if got := b.results(t, q)[0]; got.Status != verify.Unsigned {
		t.Errorf("got %v, want Unsigned", got.Status)
	}
	b.clock.pass(5 * time.Minute)
	b.world.answer(tag, status(500))
	if got := b.results(t, q)[0]; got.Status != verify.Unavailable || !got.LastVerifiedAt.IsZero() {
		t.Errorf("got %v, last verified %v: a rejection lies between", got.Status, got.LastVerifiedAt)
	}
}

func TestResultsAskFirstForWhatVerified(t *testing.T) {
	s := newSigner(t)
	digest := someImage("a")
	b := newBench(t, verify.Config{})
	good := b.world.referrer("app", digest, s.bundle(t, digest))
	b.world.api("app", digest, good)
	q := verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}}
	b.results(t, q)
	var flood []object
	for i := range 200 {
		flood = append(flood, b.world.referrer("app", digest, fmt.Appendf(nil, "{%d", i)))
	}
	b.world.api("app", digest, append(flood[:40:40], append([]object{good}, flood[40:]...)...)...)
	b.world.sig("app", digest, make([]layer, 60)...)
	b.clock.pass(5 * time.Hour)
	if got := b.results(t, q)[0]; got.Status != verify.Verified {
		t.Errorf("got %v %q, want the one that verified last to be asked for first", got.Status, got.Reason)
	}
}

func TestResultsPanicOfTheSource(t *testing.T) {
	s := newSigner(t)
	source := explodingSource{newSource()}
	defer source.close()
	v := verify.New(source, verify.NewLRU(10, nil), verify.Config{})
	defer v.Close()
	w := newWorld(t)
	got, err := v.Results(t.Context(), verify.Query{Repository: w.repository("app"), Digest: someImage("a"), Needed: []*verify.Integration{s.integration(t, "k")}})
	if err != nil || got[0].Status != verify.Unavailable {
		t.Errorf("got %v, %v; want Unavailable", got, err)
	}
}
