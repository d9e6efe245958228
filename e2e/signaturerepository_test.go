package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// Where these tests keep signatures: a registry of its own, and a repository there.
const (
	signatureRegistry   = "signatures.example.com"
	signatureRepository = "acme/signatures"
)

// apart is an integration that looks for signatures in that repository alone.
func apart(name string, keys ...string) string {
	return gateway.Integration(name, keys...) + "  signatureRepository: " + signatureRegistry + "/" + signatureRepository + "\n"
}

func TestSignaturesInAnotherRepository(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *origin.Registry{
		"distribution":                      func(tb testing.TB) *origin.Registry { return origin.Distribution(tb, nil) },
		"a registry with the referrers API": origin.Referrers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, other := origin.Distribution(t, nil), open(t)
			layouts := cosign.Layouts()
			key, stranger := cosign.NewKey(t, layouts[0]), cosign.NewKey(t, layouts[0])
			documents := enforced(t, gateway.Registry("docker.io", at.Host), key)
			documents["signatures.yaml"] = gateway.Registry(signatureRegistry, other.Host)
			documents["integration.yaml"] = apart(signerName, key.PEM(t))
			g := gateway.Start(t, documents)
			into := other.Host + "/" + signatureRepository
			for _, layout := range layouts {
				repository := "acme/" + strings.ReplaceAll(layout.Name, " ", "-")
				t.Run(layout.Name, func(t *testing.T) {
					image := at.Push(t, repository, "1")
					key.SignInto(t, into, image, layout)
					if layout.Name == "cosign 2 bundle" {
						// It writes bundles beside the image, whatever it is told.
						checkRefused(t, g, image, "UNSIGNED")
						return
					}
					checkAllowed(t, g, image)
					checkSource(t, documents, image)

					strange := at.Push(t, repository, "other-key")
					stranger.SignInto(t, into, strange, layout)
					checkRefused(t, g, strange, "KEY_MISMATCH")

					beside := at.Push(t, repository, "beside")
					key.Sign(t, at, beside, layout)
					checkRefused(t, g, beside, "UNSIGNED")
				})
			}
			for _, request := range at.Requests("/referrers/") {
				if strings.HasPrefix(request.UserAgent, "vouchsafe") {
					t.Errorf("the image's own registry was asked for signatures: %s", request)
				}
			}
		})
	}
}

// checkSource demands that verify says where the signature was found.
func checkSource(t *testing.T, documents map[string]string, image origin.Image) {
	t.Helper()
	out := tool.MustRun(t, nil, tool.Path("vouchsafe"), "verify", "--config-dir", gateway.Documents(t, documents), "-o", "json", "docker.io/"+image.Repository+":1")
	var shown []struct {
		Signatures []struct{ Source, Status string }
	}
	if err := json.Unmarshal([]byte(out.Stdout), &shown); err != nil || len(shown) != 1 || len(shown[0].Signatures) != 1 {
		t.Fatalf("verify printed %s", out.Stdout)
	}
	if got := shown[0].Signatures[0]; got.Status != "Verified" || !strings.HasPrefix(got.Source, signatureRegistry+"/"+signatureRepository) {
		t.Errorf("verify shows a signature at %s that is %s", got.Source, got.Status)
	}
}

// TestARegistryOfSignaturesThatIsAway hurts those integrations alone that use it.
func TestARegistryOfSignaturesThatIsAway(t *testing.T) {
	at, layout := origin.Referrers(t), cosign.Layouts()[3]
	key := cosign.NewKey(t, layout)
	documents := enforced(t, gateway.Registry("docker.io", at.Host), key)
	documents["signatures.yaml"] = gateway.Registry(signatureRegistry, "127.0.0.1:9")
	documents["apart.yaml"] = apart("apart", key.PEM(t))
	documents["policy.yaml"] = gateway.Policy(policyName, "InformAndEnforce", `"docker.io/acme/either"`, []string{signerName, "apart"}) +
		"---\n" + gateway.Policy("apart-only", "InformAndEnforce", `"docker.io/acme/apart"`, []string{"apart"})
	g := gateway.Start(t, documents)
	either, alone := at.Push(t, "acme/either", "1"), at.Push(t, "acme/apart", "1")
	key.Sign(t, at, either, layout)
	key.Sign(t, at, alone, layout)
	checkAllowed(t, g, either)
	if answer := ask(t, g, "docker.io/acme/apart", "1"); answer.Status != http.StatusServiceUnavailable || answer.Verdict != "Unavailable" {
		t.Errorf("got %d %s (%s), want 503 Unavailable", answer.Status, answer.Verdict, answer.Message)
	}
}
