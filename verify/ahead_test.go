package verify_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// bubbleSource is a registry in a bubble of simulated time: each answer takes 200 ms.
type bubbleSource struct {
	mu      sync.Mutex
	content map[string]served
	down    bool
	// asked are the instants at which the tag of signatures was asked for, one
	// for each collection.
	asked []time.Time
}

func (s *bubbleSource) get(ctx context.Context, path string) (served, error) {
	select {
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
		return served{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return served{}, &oci.Error{Code: oci.CodeUpstream, Message: "away"}
	}
	content, found := s.content[path]
	if !found {
		return served{}, &oci.Error{Code: oci.CodeManifestUnknown}
	}
	return content, nil
}

func (s *bubbleSource) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	if len(ref.Tag) > 4 && ref.Tag[len(ref.Tag)-4:] == ".sig" {
		s.mu.Lock()
		s.asked = append(s.asked, time.Now())
		s.mu.Unlock()
	}
	name := ref.Tag
	if name == "" {
		name = ref.Digest.String()
	}
	content, err := s.get(ctx, "app/manifests/"+name)
	return oci.RawManifest{ContentType: content.mediaType, Bytes: content.body}, err
}

func (s *bubbleSource) Referrers(ctx context.Context, _ oci.Repository, _ oci.Digest) (oci.Referrers, error) {
	if _, err := s.get(ctx, ""); oci.CodeOf(err) == oci.CodeUpstream {
		return oci.Referrers{}, err
	}
	return oci.Referrers{}, nil
}

func (s *bubbleSource) SmallBlob(ctx context.Context, _ oci.Repository, digest oci.Digest, _ int64) ([]byte, error) {
	content, err := s.get(ctx, "app/blobs/"+digest.String())
	return content.body, err
}

func (s *bubbleSource) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *bubbleSource) collections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// signedContent is what a registry holds about a signed image. It is made outside
// of the bubble, whose clock waits for no network.
func signedContent(t *testing.T, s signer, digest oci.Digest) map[string]served {
	w := newWorld(t)
	w.sig("app", digest, s.layer(t, digest))
	return w.content
}

// pullOnceASecond asks once a second and returns the results that somebody waited for.
func pullOnceASecond(t *testing.T, v *verify.Verifier, q verify.Query, pulls int) (waited []verify.Result) {
	t.Helper()
	for range pulls {
		begin := time.Now()
		got, err := v.Results(t.Context(), q)
		check(t, err)
		if took := time.Since(begin); took > 0 {
			waited = append(waited, got[0])
		}
		time.Sleep(time.Second - time.Since(begin))
	}
	return waited
}

func TestAPopularImageWaitsOnce(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	signed := signedContent(t, s, digest)
	in := s.integration(t, "k")
	for name, test := range map[string]struct {
		content map[string]served
		life    time.Duration
		want    verify.Status
	}{
		"that is Verified": {signed, 4 * time.Hour, verify.Verified},
		"that is Unsigned": {nil, time.Minute, verify.Unsigned},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := &bubbleSource{content: test.content}
				v := verify.New(source, verify.NewLRU(10, nil), verify.Config{})
				defer v.Close()
				q := verify.Query{Repository: oci.Repository{Registry: "r.test", Path: "app"}, Digest: digest, Needed: []*verify.Integration{in}}
				waited := pullOnceASecond(t, v, q, int(3*test.life/time.Second))
				if len(waited) != 1 || waited[0].Status != test.want {
					t.Errorf("%d pulls waited, want 1: %v", len(waited), waited)
				}
				// The first, and one each 4/5 of a life: 3 / 0.8 = 3.75.
				if n := source.collections(); n != 4 {
					t.Errorf("got %d collections, want 4", n)
				}
			})
		})
	}
}

func TestAnOutageDoesNotShortenAResult(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	signed := signedContent(t, s, digest)
	in := s.integration(t, "k")
	for name, test := range map[string]struct {
		content map[string]served
		life    time.Duration
		want    verify.Status
	}{
		"Verified": {signed, 4 * time.Hour, verify.Verified},
		"Unsigned": {nil, time.Minute, verify.Unsigned},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := &bubbleSource{content: test.content}
				v := verify.New(source, verify.NewLRU(10, nil), verify.Config{})
				defer v.Close()
				q := verify.Query{Repository: oci.Repository{Registry: "r.test", Path: "app"}, Digest: digest, Needed: []*verify.Integration{in}}
				got, err := v.Results(t.Context(), q)
				check(t, err)
				end := got[0].CollectedAt.Add(test.life)
				source.setDown(true)
				for time.Now().Before(end) {
					begin := time.Now()
					got, err := v.Results(t.Context(), q)
					check(t, err)
					if got[0].Status != test.want || time.Since(begin) > 0 {
						t.Fatalf("got %v after %v, %v before its end", got[0].Status, time.Since(begin), end.Sub(begin))
					}
					time.Sleep(time.Second)
				}
				// Tried at 8/10 and 9/10 of its life.
				if n := source.collections(); n != 3 {
					t.Errorf("got %d collections, want 3", n)
				}
				if got, err = v.Results(t.Context(), q); err != nil || got[0].Status != verify.Unavailable {
					t.Errorf("after its end: got %v, %v", got, err)
				}
				source.setDown(false)
				time.Sleep(6 * time.Second)
				if got, err = v.Results(t.Context(), q); err != nil || got[0].Status != test.want {
					t.Errorf("the registry is back: got %v, %v", got, err)
				}
			})
		})
	}
}

func TestUnavailableIsNotRenewedAhead(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	in := s.integration(t, "k")
	synctest.Test(t, func(t *testing.T) {
		source := &bubbleSource{down: true}
		v := verify.New(source, verify.NewLRU(10, nil), verify.Config{})
		defer v.Close()
		q := verify.Query{Repository: oci.Repository{Registry: "r.test", Path: "app"}, Digest: digest, Needed: []*verify.Integration{in}}
		for range 49 {
			_, err := v.Results(t.Context(), q)
			check(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		if n := source.collections(); n != 1 {
			t.Errorf("got %d collections within one life, want 1", n)
		}
	})
}

func TestRenewalsLeaveRoomForThoseWhoWait(t *testing.T) {
	s := newSigner(t)
	in := s.integration(t, "k")
	synctest.Test(t, func(t *testing.T) {
		source := &bubbleSource{}
		v := verify.New(source, verify.NewLRU(100, nil), verify.Config{Workers: 16})
		defer v.Close()
		query := func(i int) verify.Query {
			return verify.Query{
				Repository: oci.Repository{Registry: "r.test", Path: "app"},
				Digest:     someImage(string(rune('a' + i))), Needed: []*verify.Integration{in},
			}
		}
		for i := range 20 {
			_, err := v.Results(t.Context(), query(i))
			check(t, err)
		}
		before := source.collections()
		time.Sleep(55 * time.Second)
		for i := range 20 {
			_, err := v.Results(t.Context(), query(i))
			check(t, err)
		}
		begin := time.Now()
		_, err := v.Results(t.Context(), query(30))
		check(t, err)
		if took := time.Since(begin); took > 300*time.Millisecond {
			t.Errorf("a cold image waited %v behind renewals", took)
		}
		// 16 collections, half of them for one registry, half of those renewals.
		if n := source.collections() - before; n != 4+1 {
			t.Errorf("got %d collections, want 4 renewals and the cold one", n)
		}
	})
}
