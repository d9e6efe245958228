package sigstore_test

import (
	"net/http"
	"testing"
	"time"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/sigstore"
)

// untilEnd is how long what ends under a running gateway lasts, at first: longer
// than the gateway takes to start and to answer once.
const untilEnd = 4 * time.Second

// testEnding has a gateway serve an image before and after the end of what makes
// it Verified. A result that was kept must not outlive that end.
func (g *gallery) testEnding(t *testing.T) {
	t.Run("the window of a key", func(t *testing.T) {
		t.Parallel()
		g.checkEnding(t, func(end time.Time) (origin.Image, row) {
			return g.image(t, "key"), row{
				reason: "KEY_EXPIRED", signer: "key-1",
				spec: during(keys(g.one.Public), window{until: end}),
			}
		})
	})
	t.Run("a certificate of an own authority", func(t *testing.T) {
		t.Parallel()
		image := g.at.Push(t, "acme/ending", "1")
		g.checkEnding(t, func(end time.Time) (origin.Image, row) {
			leaf := g.own.Sign(t, sigstore.Signer{Email: builder, Issuer: builderIssuer, NotAfter: end})
			g.Sign(t, g.at, image, sigstore.Hold(t, leaf).Signatory, tag)
			return image, row{reason: "CERTIFICATE_EXPIRED", signer: builder, spec: g.builder()}
		})
	})
}

// checkEnding demands that an image is served before an end, and refused for the
// row's reason after it. Where the machine was too slow to ask before, it tries
// again with a later end.
func (g *gallery) checkEnding(t *testing.T, until func(end time.Time) (origin.Image, row)) {
	t.Helper()
	for life := untilEnd; ; life *= 2 {
		end := time.Now().Add(life).Truncate(time.Second)
		image, after := until(end)
		serving := g.serve(t, g.documents(t, after.spec, g.root))
		answer, err := serving.Manifest(http.DefaultClient, http.MethodGet, "docker.io/"+image.Repository, image.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if !answer.Done.Before(end) {
			continue
		}
		if answer.Status != http.StatusOK {
			t.Errorf("before the end the pull got %d (%s), want 200", answer.Status, answer.Message)
		}
		// The gateway's clock is not ours to set.
		time.Sleep(time.Until(end.Add(time.Second)))
		after.checkPull(t, serving, image)
		return
	}
}
