package verify_test

import (
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// TestImageBySHA512 asks for an image by a digest whose .sig tag no registry can
// hold, so that nothing there is no trouble.
func TestImageBySHA512(t *testing.T) {
	s := newSigner(t)
	digest := sha512Digest(t, []byte("image"))
	for _, c := range []struct {
		name    string
		set     func(w *world)
		status  verify.Status
		message string
	}{
		{
			"nothing", func(*world) {}, verify.Unsigned,
			"(asked: referrers API, referrers tag sha512-" + digest.Hex()[:64] + ")",
		},
		{"a bundle in the referrers API", func(w *world) {
			w.api("app", digest, w.referrer("app", digest, s.bundle(t, digest)))
		}, verify.Verified, "signed by k"},
		{"a bundle under the referrers tag", func(w *world) {
			w.referrersTag("app", digest, w.referrer("app", digest, s.bundle(t, digest)))
		}, verify.Verified, "signed by k"},
		{"a bundle of an image with the same referrers tag", func(w *world) {
			other, err := oci.ParseDigest("sha512:" + digest.Hex()[:64] + strings.Repeat("0", 64))
			check(t, err)
			w.referrersTag("app", digest, w.referrer("app", other, s.bundle(t, other)))
		}, verify.Untrusted, "signed by k, but for another image"},
		{"a registry in trouble", func(w *world) {
			w.answer("app/manifests/"+digest.ReferrersTag(), status(500))
		}, verify.Unavailable, "referrers tag: status 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, verify.Config{})
			c.set(b.world)
			got := b.results(t, verify.Query{Digest: digest, Needed: []*verify.Integration{s.integration(t, "k")}})[0]
			if got.Status != c.status || !strings.Contains(got.Message, c.message) {
				t.Errorf("got %v %q, want %v %q", got.Status, got.Message, c.status, c.message)
			}
		})
	}
}
