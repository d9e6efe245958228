package verify

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/oci"
)

// oneSignature is a registry that holds one cosign signature of the lab's image.
type oneSignature struct {
	item     Item
	manifest []byte
	listed   atomic.Int64
}

func newOneSignature(t *testing.T, item Item) *oneSignature {
	t.Helper()
	manifest := map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": map[string]any{"mediaType": "application/vnd.oci.empty.v1+json", "digest": oci.SHA256([]byte("{}")), "size": 2},
		"layers": []any{map[string]any{
			"mediaType": oci.MediaTypeSimpleSigning, "digest": item.Digest, "size": len(item.Payload), "annotations": item.Annotations,
		}},
	}
	return &oneSignature{item: item, manifest: must(json.Marshal(manifest))(t)}
}

func (s *oneSignature) GetManifest(_ context.Context, ref oci.Reference) (oci.RawManifest, error) {
	if tag, _ := sigTag(labDigest); ref.Tag != tag {
		return oci.RawManifest{}, &oci.Error{Code: oci.CodeManifestUnknown}
	}
	s.listed.Add(1)
	return oci.RawManifest{ContentType: oci.MediaTypeImageManifest, Bytes: s.manifest}, nil
}

func (s *oneSignature) Referrers(context.Context, oci.Repository, oci.Digest) (oci.Referrers, error) {
	return oci.Referrers{}, nil
}

func (s *oneSignature) SmallBlob(context.Context, oci.Repository, oci.Digest, int64) ([]byte, error) {
	return s.item.Payload, nil
}

// TestManyCallersOneCollectionOneQuestion goes the whole way of a pull.
func TestManyCallersOneCollectionOneQuestion(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	item := s.image(t)
	r.bodies = []string{entryBody(item, publicPEM(t, s.key.Public()))}
	registry := newOneSignature(t, item)
	v := New(registry, NewLRU(10, nil), Config{Logs: operatorClient(t), UserAgent: "vouchsafe/test"})
	about := labEvidence()
	in, behind := integrationOf("a", r.keyTrust(s)), integrationOf("behind", r.keyTrust(s))
	ask := func() Status {
		q := Query{Repository: about.Repository, Digest: about.Digest, Needed: []*Integration{in}, Others: []*Integration{behind}}
		return must(v.Results(t.Context(), q))(t)[0].Status
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := ask(); got != Verified {
				t.Errorf("got %v", got)
			}
		})
	}
	all.Wait()
	v.Close()
	if got := ask(); got != Verified || registry.listed.Load() != 1 || r.asked.Load() != 2 {
		t.Errorf("got %v after %d collections and %d questions, want one of each for each integration", got, registry.listed.Load(), r.asked.Load())
	}
	result, fresh, _ := v.cache.Get(t.Context(), CacheKey{about.Repository, about.Digest, "behind", "behind"})
	if !fresh || result.Status != Verified {
		t.Errorf("the integration that nobody waited for: got %v", result.Status)
	}
}

// TestALogThatIsBackIsAskedAgain: nothing but the result remembers that it was away.
func TestALogThatIsBackIsAskedAgain(t *testing.T) {
	r, s := newRekor(t), labSigner{key: labKey(t)}
	item := s.image(t)
	r.bodies = []string{entryBody(item, publicPEM(t, s.key.Public()))}
	r.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	v := asking(t, operatorClient(t), 0)
	in := integrationOf("a", r.keyTrust(s))
	if got := v.judgeFresh(t, labEvidence(item), in); got.Status != Unavailable {
		t.Fatalf("while it is away: got %v %s", got.Status, got.Reason)
	}
	about := labEvidence()
	kept, fresh, _ := v.cache.Get(t.Context(), CacheKey{about.Repository, about.Digest, "a", "a"})
	if !fresh || kept.Status != Unavailable {
		t.Errorf("got %v, fresh %v: each caller would ask again", kept.Status, fresh)
	}
	r.answer = nil
	if got := v.judgeFresh(t, labEvidence(item), in); got.Status != Verified {
		t.Errorf("when it is back: got %v %s (%s)", got.Status, got.Reason, got.Message)
	}
}

// TestAnUnavailableLogIsKeptFromWhenItFailed: a log that answers late must not be
// asked by each caller in turn.
func TestAnUnavailableLogIsKeptFromWhenItFailed(t *testing.T) {
	s := labSigner{key: labKey(t)}
	v := asking(t, nil, 0)
	in := integrationOf("a", trust{keys: s.trusted(t, window{}), demandLog: true, askLog: "http://log.test"})
	evidence := labEvidence(s.image(t))
	evidence.CollectedAt = time.Now().Add(-v.cfg.UnavailableTTL - time.Second)
	if got := must(v.judge(t.Context(), landed(subject{evidence.Repository, evidence.Digest, evidence.Repository}, evidence), in))(t); got.Status != Unavailable {
		t.Fatalf("got %v", got.Status)
	}
	if _, fresh, _ := v.cache.Get(t.Context(), CacheKey{evidence.Repository, evidence.Digest, "a", "a"}); !fresh {
		t.Error("it is not kept, so that each caller would ask the log again")
	}
}
