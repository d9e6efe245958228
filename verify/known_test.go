package verify_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// TestAQueryOfWhatIsKnownAsksNobody asks in each age of a result: never judged,
// fresh, in the last fifth of its life, over. Nothing goes on behind an answer.
func TestAQueryOfWhatIsKnownAsksNobody(t *testing.T) {
	s, digest := newSigner(t), someImage("a")
	content := signedContent(t, s, digest)
	in, other := s.integration(t, "k"), s.integration(t, "other")
	synctest.Test(t, func(t *testing.T) {
		source := &bubbleSource{content: content}
		v := verify.New(source, verify.NewLRU(10, nil), verify.Config{})
		defer v.Close()
		q := verify.Query{
			Repository: oci.Repository{Registry: "r.test", Path: "app"}, Digest: digest,
			Needed: []*verify.Integration{in}, Others: []*verify.Integration{other},
		}
		ask := func(q verify.Query) []verify.Result {
			t.Helper()
			results, err := v.Results(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return results
		}
		want := func(what string, status verify.Status, reason verify.Reason, last bool) {
			t.Helper()
			before := source.collections()
			known := q
			known.KnownOnly = true
			r := ask(known)[0]
			if r.Status != status || r.Reason != reason || r.Integration != "k" || r.Revision != in.Revision() || r.LastVerifiedAt.IsZero() == last {
				t.Errorf("%s: got %+v", what, r)
			}
			known.Needed = nil
			ask(known)
			if n := source.collections() - before; n != 0 {
				t.Errorf("%s: %d collections", what, n)
			}
		}
		want("never judged", verify.Unavailable, verify.NotKnown, false)
		if r := ask(q)[0]; r.Status != verify.Verified {
			t.Fatalf("got %+v", r)
		}
		want("fresh", verify.Verified, "", false)
		time.Sleep(4*time.Hour - time.Minute)
		want("aging", verify.Verified, "", false)
		time.Sleep(2 * time.Minute)
		want("over", verify.Unavailable, verify.NotKnown, true)
		if r := ask(q)[0]; r.Status != verify.Verified || source.collections() != 2 {
			t.Errorf("who may ask afterwards: got %+v, %d collections", r, source.collections())
		}
	})
}
