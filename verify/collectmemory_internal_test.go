package verify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/oci"
)

// slowSource has four signatures of 1 MiB beside every image; each takes a
// second, and those of registries called "hung" never come.
type slowSource struct {
	mu         sync.Mutex
	held, most int64
}

func (s *slowSource) GetManifest(_ context.Context, ref oci.Reference) (oci.RawManifest, error) {
	if !strings.HasSuffix(ref.Tag, ".sig") {
		return oci.RawManifest{}, &oci.Error{Code: oci.CodeManifestUnknown}
	}
	var layers []string
	for i := range 4 {
		layers = append(layers, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`,
			oci.MediaTypeSimpleSigning, oci.SHA256(fmt.Append(nil, ref, i)), MaxSignatureBytes))
	}
	return oci.RawManifest{ContentType: oci.MediaTypeImageManifest, Bytes: fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},"layers":[%s]}`,
		oci.MediaTypeImageManifest, oci.SHA256([]byte("{}")), strings.Join(layers, ","))}, nil
}

func (*slowSource) Referrers(context.Context, oci.Repository, oci.Digest) (oci.Referrers, error) {
	return oci.Referrers{}, nil
}

func (s *slowSource) SmallBlob(ctx context.Context, repository oci.Repository, _ oci.Digest, limit int64) ([]byte, error) {
	s.add(limit)
	defer s.add(-limit)
	var after <-chan time.Time
	if !strings.HasPrefix(repository.Registry, "hung") {
		after = time.After(time.Second)
	}
	select {
	case <-after:
		return []byte("{}"), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slowSource) add(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
	s.most = max(s.most, s.held)
}

func imageNo(i int) oci.Digest { return oci.SHA256(fmt.Append(nil, "image", i)) }

func TestMemoryOfPayloadsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 16 << 20
		source := &slowSource{}
		c := &Collector{Source: source, PayloadBytes: most}
		var wait sync.WaitGroup
		var mu sync.Mutex
		complete, late := 0, 0
		for i := range 50 {
			wait.Go(func() {
				got := c.Collect(t.Context(), oci.Repository{Registry: "registry.test", Path: "app"}, imageNo(i))
				mu.Lock()
				defer mu.Unlock()
				switch problem := got.Items[0].Problem; {
				case problem == nil:
					complete++
				case problem.Reason == Timeout && problem.Unavailable:
					late++
				default:
					t.Errorf("got %+v", *problem)
				}
			})
		}
		wait.Wait()
		// Two of 4 MiB each second, in the 20 s that each of them has.
		if complete < 38 || complete > 40 || late != 50-complete {
			t.Errorf("got %d complete and %d late, want 40 and 10", complete, late)
		}
		if source.most > most/2 {
			t.Errorf("got %d bytes of one registry at once, want at most %d", source.most, most/2)
		}
		if !c.held.payloads.all.TryAcquire(most) || len(c.held.payloads.registries) != 0 {
			t.Error("not all was given back")
		}
	})
}

func TestHungRegistryKeepsNoOtherFromVerifying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowSource{}
		v := New(source, NewLRU(100, nil), Config{Workers: 8, PayloadBytes: 16 << 20})
		ctx, leave := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				_, _ = v.Evidence(ctx, oci.Repository{Registry: "hung.test", Path: "app"}, imageNo(i), 0)
			})
		}
		synctest.Wait()
		begin := time.Now()
		got, err := v.Evidence(t.Context(), oci.Repository{Registry: "registry.test", Path: "app"}, imageNo(0), 0)
		if err != nil || got.incomplete() {
			t.Errorf("got %+v, %v", got.Problems, err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %s, want 1 s", took)
		}
		leave()
		wait.Wait()
		v.Close()
		if held := v.collector.held.payloads; !held.all.TryAcquire(16<<20) || len(held.registries) != 0 {
			t.Error("not all memory was given back")
		}
		if !v.collecting.all.TryAcquire(8) || len(v.collecting.registries) != 0 {
			t.Error("not every turn was given back")
		}
	})
}

// largeSource answers every manifest with one that is over smallManifest.
type largeSource struct{ slowSource }

func (s *largeSource) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	raw, err := s.slowSource.GetManifest(ctx, ref)
	raw.Bytes = append(raw.Bytes, strings.Repeat(" ", smallManifest)...)
	return raw, err
}

func TestLargeManifestsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Collector{Source: &largeSource{}}
		repository := oci.Repository{Registry: "registry.test", Path: "app"}
		release, ok := c.memory().manifests.tryAcquire(repository.Registry, defaultPayloadBytes)
		if !ok {
			t.Fatal("no room at the start")
		}
		got := c.Collect(t.Context(), repository, imageNo(0))
		if len(got.Items) != 0 || len(got.Problems) != 1 || got.Problems[0].Reason != FetchFailed || !got.Problems[0].Unavailable {
			t.Errorf("without room: got %+v, want one place unavailable", got)
		}
		release()
		if got := c.Collect(t.Context(), repository, imageNo(0)); got.incomplete() || len(got.Items) != 4 {
			t.Errorf("with room: got %+v", got)
		}
		if len(c.held.manifests.registries) != 0 {
			t.Error("not all was given back")
		}
	})
}

func TestShareLeavesHalfToOthers(t *testing.T) {
	s := newShare(10)
	all, err := s.acquire(t.Context(), "a", 100)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.acquire(ended, "a", 1); err == nil {
		t.Error("a registry got more than half")
	}
	if _, ok := s.tryAcquire("a", 1); ok {
		t.Error("a registry got more than half without waiting")
	}
	others, ok := s.tryAcquire("b", 5)
	if !ok {
		t.Error("another registry got nothing")
	}
	if _, ok := s.tryAcquire("c", 1); ok {
		t.Error("more than all was given")
	}
	all()
	others()
	if len(s.registries) != 0 {
		t.Errorf("%d registries are remembered", len(s.registries))
	}
}
