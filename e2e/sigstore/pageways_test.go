package sigstore_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/sigstore"
)

// table says what stands here for what the page names: hosts, paths, URLs, times,
// and the keys that were made here. It is applied from top to bottom.
type table []struct {
	// page is an expression over the page's text.
	page string
	// here is what stands for it, as written.
	here func() string
}

func (b table) apply(text string) string {
	for _, one := range b {
		text = regexp.MustCompile(one.page).ReplaceAllLiteralString(text, one.here())
	}
	return text
}

func (b *table) add(page string, here func() string) {
	*b = append(*b, struct {
		page string
		here func() string
	}{page, here})
}

func text(value string) func() string { return func() string { return value } }

// substitute is the part of the tables that all ways have. Where the page means the
// public Sigstore, the programs are told of the local one, which is what their
// further flags and the document's trusted root are; the rest stands as it is.
func (g *gallery) substitute(t *testing.T, s *scene) {
	t.Helper()
	s.signs.add(`(registry\.acme\.com|ghcr\.io|registry\.gitlab\.com)/acme/api`, text(g.at.Host+"/acme/api"))
	s.signs.add(regexp.QuoteMeta(pageDigest), text(s.image.Digest))
	// The registry that is built in is another here too.
	s.write(t, pageFolder+"/ghcr.yaml", gateway.Registry("ghcr.io", g.at.Host))
	here := fmt.Sprintf("spec: {endpoint: \"http://%s\", plainHTTP: true, allowPrivateAddresses: true}", g.at.Host)
	s.trusts.add(`spec: \{\}`, text(here))
	for page, local := range map[string]string{
		"https://token.actions.githubusercontent.com": g.Issuers.Workflows,
		"https://gitlab.com\n":                        g.Issuers.Pipelines + "\n",
		"https://login.acme.com":                      g.Issuers.People,
	} {
		s.trusts.add(regexp.QuoteMeta(page), text(local))
		s.shown.add(regexp.QuoteMeta(strings.TrimSpace(local)), text(strings.TrimSpace(page)))
	}
}

// ways are all that the page shows, each with what has to be there before its
// commands are run.
func (g *gallery) ways() map[string]func(t *testing.T, s *scene, program string) {
	return map[string]func(t *testing.T, s *scene, program string){
		"key": func(t *testing.T, s *scene, program string) {
			t.Helper()
			g.usePublic(s, program)
			s.useKey(t)
		},
		"github": func(t *testing.T, s *scene, program string) {
			t.Helper()
			g.usePublic(s, program)
			token := g.Issuers.Workflow(t, sigstore.Workflow{
				Repository: "acme/api", File: ".github/workflows/release.yml", Ref: "refs/tags/v1.4.0", Trigger: "push",
			})
			const right = "the right to ask"
			// What a runner of GitHub Actions serves to a job that may have a token.
			runner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "bearer "+right || r.URL.Query().Get("audience") != "sigstore" {
					http.Error(w, "no", http.StatusForbidden)
					return
				}
				_ = json.NewEncoder(w).Encode(object{"value": token})
			}))
			t.Cleanup(runner.Close)
			s.environment = append(s.environment, "ACTIONS_ID_TOKEN_REQUEST_URL="+runner.URL+"/?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+right)
		},
		"gitlab": func(t *testing.T, s *scene, program string) {
			t.Helper()
			g.usePublic(s, program)
			s.environment = append(s.environment, "SIGSTORE_ID_TOKEN="+g.Issuers.Pipeline(t, "acme/api", "v1.4.0"))
		},
		"own-authority": func(t *testing.T, s *scene, _ string) {
			t.Helper()
			leaf := g.own.Sign(t, sigstore.Signer{Email: "builder@acme.com", Issuer: "https://ci.acme.com"})
			s.write(t, "leaf.key", leaf.PrivateKey(t))
			s.write(t, "leaf.pem", leaf.PEM())
			s.write(t, "chain.pem", g.own.Chain())
			s.trusts.add(`(?s)        -----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----`, text(indented(g.own.Chain())))
		},
		"own-sigstore": func(t *testing.T, s *scene, _ string) {
			t.Helper()
			trust := g.Trust(t)
			for name, content := range map[string]string{
				"fulcio.pem": trust.Fulcio, "tsa.pem": trust.Stamps, "ctlog.pub": trust.CertificateLog, "rekor.pub": trust.Rekor,
			} {
				s.write(t, name, content)
			}
			for page, local := range map[string]string{
				"https://fulcio.acme.com": g.FulcioURL, "https://rekor.acme.com": g.RekorURL, "https://ctlog.acme.com": g.CertificateLogURL,
				"https://tsa.acme.com/api/v1/timestamp": g.StampURL, "https://login.acme.com": g.Issuers.People,
			} {
				s.signs.add(regexp.QuoteMeta(page), text(local))
			}
			s.signs.add(`2026-01-01T00:00:00Z`, text(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
			// A browser would be opened without it.
			s.environment = append(s.environment, "SIGSTORE_ID_TOKEN="+g.Issuers.Person(t, "release@acme.com"))
		},
		"air-gapped": func(t *testing.T, s *scene, _ string) {
			t.Helper()
			s.useKey(t)
		},
	}
}

// usePublic has cosign sign through the local Sigstore where the page means the
// public one, which a program knows by itself, and the document trust it, as a
// document does without a trusted root of its own.
func (g *gallery) usePublic(s *scene, program string) {
	s.environment = append(s.environment, g.Environment()...)
	s.signs.add(`cosign sign `, text("cosign sign "+strings.Join(g.Services(program), " ")+" "))
	s.shown.add(regexp.QuoteMeta(g.StampURL), text("https://timestamp.sigstore.dev/api/v1/timestamp"))
	s.trusts.add(`(?m)^spec:$`, text("spec:\n  trustedRoot: {file: "+rootFile+"}"))
}

// useKey has the document hold the key that the commands made, within a window
// around now.
func (s *scene) useKey(t *testing.T) {
	t.Helper()
	s.trusts.add(`(?s)        -----BEGIN PUBLIC KEY-----.*-----END PUBLIC KEY-----`, func() string { return indented(s.read(t, "cosign.pub")) })
	for page, here := range map[string]time.Time{
		"2026-01-01T00:00:00Z": time.Now().AddDate(0, 0, -1), "2027-01-01T00:00:00Z": time.Now().AddDate(0, 0, 1),
	} {
		s.trusts.add(page, text(here.UTC().Format(time.RFC3339)))
	}
}

// indented is PEM as a document holds it.
func indented(pem string) string {
	return "        " + strings.ReplaceAll(strings.TrimSpace(pem), "\n", "\n        ")
}
