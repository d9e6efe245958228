package sigstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"vouchsafe/e2e/internal/sigstore"
)

// testCosign has cosign itself verify what was signed, so that a refusal of ours
// is about our rules, and has it refuse another signer.
func (g *gallery) testCosign(t *testing.T) {
	ignoreLog := "--insecure-ignore-tlog=true"
	one, two := keyFlags(t, g.one), keyFlags(t, g.two)
	person := []string{"--certificate-identity", developer, "--certificate-oidc-issuer", g.Issuers.People}
	stranger := []string{"--certificate-identity", "eve@corp.example", "--certificate-oidc-issuer", g.Issuers.People}
	owner := []string{"--certificate-identity", builder, "--certificate-oidc-issuer", builderIssuer}
	workflow := []string{"--certificate-identity", releaseWorkflow.Identity(), "--certificate-oidc-issuer", g.Issuers.Workflows}
	for _, form := range []struct {
		image        string
		program      string
		right, wrong []string
		more         []string
	}{
		{"key", sigstore.Cosign2, one, two, []string{ignoreLog}},
		{"key logged", sigstore.Cosign2, one, two, nil},
		{"key stripped", sigstore.Cosign2, one, two, []string{"--rekor-url", g.RekorURL}},
		{"index", sigstore.Cosign2, one, two, nil},
		{"keyless", sigstore.Cosign2, person, stranger, nil},
		{"keyless workflow", sigstore.Cosign2, workflow, stranger, nil},
		{"keyless stamped", sigstore.Cosign2, person, stranger, []string{ignoreLog, "--use-signed-timestamps"}},
		{"keyless by 3", sigstore.Cosign2, person, stranger, nil},
		{"bundle key", sigstore.Cosign3, one, two, []string{ignoreLog}},
		{"bundle key v1", sigstore.Cosign3, one, two, nil},
		{"bundle key v2", sigstore.Cosign3, one, two, nil},
		{"bundle index", sigstore.Cosign3, one, two, nil},
		{"bundle keyless v1", sigstore.Cosign3, person, stranger, nil},
		{"bundle keyless v2", sigstore.Cosign3, person, stranger, []string{"--use-signed-timestamps"}},
		{"bundle workflow v2", sigstore.Cosign3, workflow, stranger, []string{"--use-signed-timestamps"}},
		{"bundle own v1", sigstore.Cosign3, owner, stranger, []string{"--trusted-root", g.ownRoot, "--insecure-ignore-sct"}},
		{"bundle key v1", sigstore.Cosign2, one, two, nil},
		{"bundle keyless v1", sigstore.Cosign2, person, stranger, nil},
		{"bundle keyless v2", sigstore.Cosign2, person, stranger, []string{"--use-signed-timestamps"}},
	} {
		t.Run(form.image+" by "+form.program, func(t *testing.T) {
			t.Parallel()
			image := g.image(t, form.image)
			if out := g.Verify(t, g.at, image, form.program, append(form.more, form.right...)...); out.Code != 0 {
				t.Errorf("%s does not verify it: exit %d", form.program, out.Code)
			}
			if out := g.Verify(t, g.at, image, form.program, append(form.more, form.wrong...)...); out.Code == 0 {
				t.Errorf("%s takes it for another's, so its success shows nothing", form.program)
			}
		})
	}
}

// keyFlags name a public key to cosign.
func keyFlags(tb testing.TB, key sigstore.Key) []string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "key.pub")
	if err := os.WriteFile(path, []byte(key.Public), 0o600); err != nil {
		tb.Fatal(err)
	}
	return []string{"--key", path}
}
