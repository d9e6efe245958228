package verify_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// slowSource holds nothing. The registry hung.test says so never, late.test
// after 15 s, every other at once.
type slowSource struct {
	mu   sync.Mutex
	asks map[string]int
}

func (s *slowSource) wait(ctx context.Context, registry string) error {
	s.mu.Lock()
	if s.asks == nil {
		s.asks = map[string]int{}
	}
	s.asks[registry]++
	s.mu.Unlock()
	switch registry {
	case "hung.test":
		<-ctx.Done()
	case "late.test":
		select {
		case <-ctx.Done():
		case <-time.After(15 * time.Second):
		}
	}
	return ctx.Err()
}

func (s *slowSource) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	if err := s.wait(ctx, ref.Repository.Registry); err != nil {
		return oci.RawManifest{}, err
	}
	return oci.RawManifest{}, &oci.Error{Code: oci.CodeManifestUnknown}
}

func (s *slowSource) Referrers(ctx context.Context, repository oci.Repository, _ oci.Digest) (oci.Referrers, error) {
	return oci.Referrers{}, s.wait(ctx, repository.Registry)
}

func (s *slowSource) SmallBlob(context.Context, oci.Repository, oci.Digest, int64) ([]byte, error) {
	return nil, &oci.Error{Code: oci.CodeBlobUnknown}
}

// TestTimeThatIsOverIsAResult has more images of a registry that hangs than have
// a turn in the time of a request.
func TestTimeThatIsOverIsAResult(t *testing.T) {
	in := []*verify.Integration{newSigner(t).integration(t, "k")}
	synctest.Test(t, func(t *testing.T) {
		v := verify.New(&slowSource{}, verify.NewLRU(1000, nil), verify.Config{})
		begin := time.Now()
		ask := func(registry, image string) (verify.Result, time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
			defer cancel()
			got, err := v.Results(ctx, verify.Query{Repository: oci.Repository{Registry: registry, Path: "app"}, Digest: someImage(image), Needed: in})
			if err != nil || ctx.Err() != nil {
				t.Errorf("%s %s: %v, %v: no time to answer", registry, image, err, ctx.Err())
				return verify.Result{}, 0
			}
			return got[0], time.Since(begin)
		}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				got, took := ask("hung.test", fmt.Sprint(i))
				if got.Status != verify.Unavailable || got.Reason != verify.Timeout || got.Integration != "k" || got.Message == "" || took > 24*time.Second {
					t.Errorf("got %v %s %q after %s", got.Status, got.Reason, got.Message, took)
				}
			})
		}
		synctest.Wait()
		if got, took := ask("other.test", "cold"); got.Status != verify.Unsigned || took > time.Second {
			t.Errorf("a registry that is well: %v after %s", got.Status, took)
		}
		all.Wait()
		v.Close()
	})
}

func TestCollectionGoesOnForLaterCallers(t *testing.T) {
	in := []*verify.Integration{newSigner(t).integration(t, "k")}
	synctest.Test(t, func(t *testing.T) {
		source := &slowSource{}
		v := verify.New(source, verify.NewLRU(10, nil), verify.Config{Timeout: time.Minute})
		q := verify.Query{Repository: oci.Repository{Registry: "late.test", Path: "app"}, Digest: someImage("a"), Needed: in}
		for _, within := range []time.Duration{time.Second, 5 * time.Second, 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			begin := time.Now()
			got, err := v.Results(ctx, q)
			cancel()
			if err != nil || got[0].Reason != verify.Timeout || got[0].Cached || time.Since(begin) != within/10*9 {
				t.Errorf("within %s: got %v, %v after %s", within, got, err, time.Since(begin))
			}
		}
		begin := time.Now()
		got, err := v.Results(t.Context(), q)
		if err != nil || got[0].Status != verify.Unsigned || time.Since(begin) > 6*time.Second {
			t.Errorf("later: %v, %v after %s", got, err, time.Since(begin))
		}
		if source.asks["late.test"] != 3 {
			t.Errorf("got %d requests, want one for each place", source.asks["late.test"])
		}
		v.Close()
	})
}

func TestResultsWhenTheDeadlineIsOver(t *testing.T) {
	s := newSigner(t)
	b := newBench(t, verify.Config{})
	digest := someImage("a")
	b.world.sig("app", digest, s.layer(t, digest))
	q := verify.Query{Repository: b.world.repository("app"), Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}}
	verifiedAt := b.clock.Now()
	b.results(t, q)
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if got, err := b.Results(over, q); err != nil || got[0].Status != verify.Verified {
		t.Errorf("what is kept: %v, %v", got, err)
	}
	b.clock.pass(5 * time.Hour)
	got, err := b.Results(over, q)
	if err != nil || got[0].Status != verify.Unavailable || got[0].Reason != verify.Timeout || !got[0].LastVerifiedAt.Equal(verifiedAt) {
		t.Errorf("what is not: %v, %v", got, err)
	}
	if got := b.results(t, q)[0]; got.Status != verify.Verified || got.Cached {
		t.Errorf("with time: %v, cached %v: a timeout is kept for nobody", got.Status, got.Cached)
	}
	left, leave := context.WithTimeout(t.Context(), time.Hour)
	leave()
	b.clock.pass(5 * time.Hour)
	if _, err := b.Results(left, q); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
}
