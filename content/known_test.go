package content_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
)

// TestKnownIsWhatResolveWouldAnswerAndAsksNobody ends each case with the requests
// that the registry saw.
func TestKnownIsWhatResolveWouldAnswerAndAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := newRegistry()
		up.push("v1", body("one"))
		digest := oci.SHA256(body("one"))
		r := content.New(up, content.Config{StaleTagTTL: func(string) time.Duration { return time.Hour }})
		wantKnown := func(what string, ref oci.Reference, want bool, age time.Duration) {
			t.Helper()
			img, known := r.Known(ref)
			if known != want || known && (img.Reference != ref.WithDigest(digest) || img.Age != age || len(img.Bytes) == 0) {
				t.Errorf("%s: got %v, known %v, age %v", what, img.Reference, known, img.Age)
			}
			wantRequests(t, up)
		}
		wantKnown("a tag that was never resolved", byTag("v1"), false, 0)
		wantKnown("a digest that was never fetched", byDigest(digest), false, 0)
		wantKnown("neither", oci.Reference{Repository: repository}, false, 0)
		resolve(t, r, byTag("v1"))
		up.requests()
		wantKnown("a tag within its time", byTag("v1"), true, 0)
		wantKnown("a digest in memory", byDigest(digest), true, 0)
		wantKnown("both", byTag("other").WithDigest(digest), true, 0)
		time.Sleep(31 * time.Second)
		wantKnown("a tag past its time", byTag("v1"), false, 0)
		wantKnown("a digest has none", byDigest(digest), true, 0)
		up.head = func(string) (oci.Digest, error) { return oci.Digest{}, &oci.Error{Code: oci.CodeUpstream} }
		resolve(t, r, byTag("v1"))
		up.requests()
		wantKnown("a tag whose registry is in trouble", byTag("v1"), true, 31*time.Second)
		time.Sleep(6 * time.Second)
		wantKnown("a tag that would be asked for again", byTag("v1"), false, 0)
	})
}
