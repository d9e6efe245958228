package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
)

func TestWhatCosignSignedIsJudged(t *testing.T) {
	for _, upstream := range upstreams {
		t.Run(upstream.name, func(t *testing.T) {
			t.Parallel()
			at, document := upstream.open(t)
			layouts := cosign.Layouts()
			key, other := cosign.NewKey(t, layouts[0]), cosign.NewKey(t, layouts[2])
			g := gateway.Start(t, enforced(t, document, key))

			t.Run("unsigned", func(t *testing.T) {
				checkRefused(t, g, at.Push(t, "acme/unsigned", "1"), "UNSIGNED")
			})
			for _, layout := range layouts {
				repository := "acme/" + strings.ReplaceAll(layout.Name, " ", "-")
				t.Run(layout.Name, func(t *testing.T) {
					judgeImages(t, g, at, layout, repository, key, other)
					judgeIndexes(t, g, at, layout, repository, key)
				})
			}
		})
	}
}

func judgeImages(t *testing.T, g *gateway.Gateway, at *origin.Registry, layout cosign.Layout, repository string, key, other *cosign.Key) {
	t.Helper()
	signed := at.Push(t, repository, "signed")
	key.Sign(t, at, signed, layout)
	checkAllowed(t, g, signed)

	strange := at.Push(t, repository, "other-key")
	other.Sign(t, at, strange, layout)
	checkRefused(t, g, strange, "KEY_MISMATCH")

	both := at.Push(t, repository, "both-keys")
	other.Sign(t, at, both, layout)
	key.Sign(t, at, both, layout)
	checkAllowed(t, g, both)
}

func judgeIndexes(t *testing.T, g *gateway.Gateway, at *origin.Registry, layout cosign.Layout, repository string, key *cosign.Key) {
	t.Helper()
	whole := at.PushIndex(t, repository, "recursive")
	key.Sign(t, at, whole, layout, "--recursive")
	// The children first: nothing may depend on the index having been asked for.
	for _, child := range whole.Children {
		checkAllowed(t, g, origin.Image{Repository: repository, Digest: child})
	}
	checkAllowed(t, g, whole)

	top := at.PushIndex(t, repository, "top-only")
	key.Sign(t, at, top, layout)
	for _, child := range top.Children {
		checkRefused(t, g, origin.Image{Repository: repository, Digest: child}, "UNSIGNED")
	}
	checkAllowed(t, g, top)
	// The signed index has been seen, and vouches for what it lists.
	for _, child := range top.Children {
		checkAllowed(t, g, origin.Image{Repository: repository, Digest: child})
	}

	bottom := at.PushIndex(t, repository, "child-only")
	key.Sign(t, at, at.Child(bottom, 0), layout)
	checkRefused(t, g, bottom, "UNSIGNED")
	checkAllowed(t, g, at.Child(bottom, 0))
	checkRefused(t, g, at.Child(bottom, 1), "UNSIGNED")
}

// references are the names by which an image can be asked for.
func references(image origin.Image) []string {
	if image.Tag == "" {
		return []string{image.Digest}
	}
	return []string{image.Tag, image.Digest}
}

func checkAllowed(t *testing.T, g *gateway.Gateway, image origin.Image) {
	t.Helper()
	for _, reference := range references(image) {
		answer := ask(t, g, "docker.io/"+image.Repository, reference)
		if answer.Status != http.StatusOK || answer.Verdict != "Allow" || answer.Digest != image.Digest {
			t.Errorf("%s %s: got %d %s %s (%s), want 200 Allow %s", image.Repository, reference,
				answer.Status, answer.Verdict, answer.Digest, answer.Message, image.Digest)
		}
	}
}

func checkRefused(t *testing.T, g *gateway.Gateway, image origin.Image, reason string) {
	t.Helper()
	for _, reference := range references(image) {
		answer := ask(t, g, "docker.io/"+image.Repository, reference)
		if answer.Status != http.StatusForbidden || answer.Verdict != "Deny" {
			t.Errorf("%s %s: got %d %s, want 403 Deny", image.Repository, reference, answer.Status, answer.Verdict)
		}
		if want := "docker.io/" + image.Repository + "@" + image.Digest + ": refused by policy " + policyName + ": "; !strings.HasPrefix(answer.Message, want) {
			t.Errorf("%s %s: got the message %q, want it to begin with %q", image.Repository, reference, answer.Message, want)
		}
	}
	pulls := g.Pulls(t, image.Repository, image.Digest)
	if len(pulls) == 0 || len(pulls[0].Results) == 0 {
		t.Fatalf("%s: the audit file has no result about it", image.Repository)
	}
	if got := pulls[0].Results[0].Reason; reason != "UNSIGNED" && got != reason {
		t.Errorf("%s: the audit record gives the reason %q, want %q", image.Repository, got, reason)
	}
	if got := pulls[0].Results[0].Status; reason == "UNSIGNED" && got != "Unsigned" {
		t.Errorf("%s: the audit record gives the status %q, want Unsigned", image.Repository, got)
	}
}

func TestAnAttestationIsNoSignature(t *testing.T) {
	at := origin.Referrers(t)
	layout := cosign.Layouts()[3]
	key := cosign.NewKey(t, layout)
	g := gateway.Start(t, enforced(t, gateway.Registry("docker.io", at.Host), key))
	image := at.Push(t, "acme/attested", "1")
	key.Attest(t, at, image, layout)
	answer := ask(t, g, "docker.io/acme/attested", "1")
	if answer.Status != http.StatusForbidden {
		t.Errorf("an image that is attested and not signed: got %d, want 403", answer.Status)
	}
}

func TestCosignVerifiesThroughTheGateway(t *testing.T) {
	for _, upstream := range upstreams {
		t.Run(upstream.name, func(t *testing.T) {
			t.Parallel()
			at, document := upstream.open(t)
			layouts := cosign.Layouts()
			key, other := cosign.NewKey(t, layouts[0]), cosign.NewKey(t, layouts[0])
			g := gateway.Start(t, enforced(t, document, key))
			for _, layout := range layouts {
				t.Run(layout.Name, func(t *testing.T) {
					image := at.Push(t, "acme/"+strings.ReplaceAll(layout.Name, " ", "-"), "1")
					key.Sign(t, at, image, layout)
					name := g.Host + "/docker.io/" + image.Repository + ":1"
					if out := key.Verify(t, layout, name); out.Code != 0 {
						t.Errorf("cosign verify %s: exit %d, want 0", name, out.Code)
					}
					if out := other.Verify(t, layout, name); out.Code == 0 {
						t.Error("cosign accepts another key, so its success shows nothing")
					}
				})
			}
		})
	}
}
