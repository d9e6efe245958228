package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
)

// The names that every test's documents use.
const (
	policyName = "prod-signed"
	signerName = "release-team"
)

// enforced is a set of documents: the registry docker.io is the given one, and
// what the repositories under acme and library hold has to be signed by the key.
func enforced(tb testing.TB, registry string, key *cosign.Key) map[string]string {
	tb.Helper()
	return map[string]string{
		"registry.yaml":    registry,
		"integration.yaml": gateway.Integration(signerName, key.PEM(tb)),
		"policy.yaml":      policy("InformAndEnforce"),
	}
}

func policy(behavior string) string {
	return gateway.Policy(policyName, behavior, `"docker.io/acme/**", "docker.io/library/**"`, []string{signerName})
}

// upstreams are the kinds of registries that stand behind a gateway. The
// document is the Registry named docker.io that the gateway needs for one.
var upstreams = []struct {
	name string
	open func(tb testing.TB) (at *origin.Registry, document string)
}{
	{"distribution", func(tb testing.TB) (*origin.Registry, string) {
		at := origin.Distribution(tb, nil)
		return at, gateway.Registry("docker.io", at.Host)
	}},
	{"distribution with token authentication", func(tb testing.TB) (*origin.Registry, string) {
		at := origin.Distribution(tb, origin.NewTokenService(tb))
		return at, tokenRegistry(tb, at)
	}},
	{"a registry with the referrers API", func(tb testing.TB) (*origin.Registry, string) {
		at := origin.Referrers(tb)
		return at, gateway.Registry("docker.io", at.Host)
	}},
}

// tokenRegistry is the document of a registry whose tokens come from another
// host, with the credentials of one who may only read.
func tokenRegistry(tb testing.TB, at *origin.Registry) string {
	tb.Helper()
	user := secret(tb, "username", origin.Puller)
	password := secret(tb, "password", at.Tokens.Password(origin.Puller))
	return gateway.Registry("docker.io", at.Host,
		"access: Shared",
		"credentials: {usernameFile: "+user+", passwordFile: "+password+"}",
		"tokenHosts: ["+`"`+at.Tokens.Host+`"`+"]",
	)
}

// secret writes a secret into a file and returns its path.
func secret(tb testing.TB, name, text string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// ask asks for a manifest with GET and with HEAD, demands that both get the
// same answer and that the audit file tells of both, and returns the GET's.
func ask(tb testing.TB, g *gateway.Gateway, name, reference string) gateway.Answer {
	tb.Helper()
	var answers []gateway.Answer
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		answer, err := g.Manifest(http.DefaultClient, method, name, reference)
		if err != nil {
			tb.Fatal(err)
		}
		checkAudited(tb, g, answer)
		answers = append(answers, answer)
	}
	head, get := answers[0], answers[1]
	if head.Status != get.Status || head.Digest != get.Digest || head.Verdict != get.Verdict {
		tb.Errorf("%s %s: HEAD got %d %s %s, GET got %d %s %s", name, reference,
			head.Status, head.Digest, head.Verdict, get.Status, get.Digest, get.Verdict)
	}
	return get
}

// checkAudited demands that the decision of an answer has its record, which
// says the same, by the time that the answer is there.
func checkAudited(tb testing.TB, g *gateway.Gateway, answer gateway.Answer) {
	tb.Helper()
	records := slices.DeleteFunc(g.Audit(tb), func(r gateway.Record) bool { return r.ID != answer.Decision })
	if len(records) != 1 {
		tb.Errorf("decision %q of an answer %d has %d audit records, want 1", answer.Decision, answer.Status, len(records))
		return
	}
	record := records[0]
	if record.Status != answer.Status || record.Decision.Verdict != answer.Verdict {
		tb.Errorf("decision %s: the answer says %d %s, the audit record %d %s",
			answer.Decision, answer.Status, answer.Verdict, record.Status, record.Decision.Verdict)
	}
	if answer.Digest != "" && record.Image.Digest != answer.Digest {
		tb.Errorf("decision %s: the answer is about %s, the audit record about %s", answer.Decision, answer.Digest, record.Image.Digest)
	}
}

// checkOnlyGateway demands that nobody but the gateway asked the registry for
// anything since its last Reset.
func checkOnlyGateway(tb testing.TB, at *origin.Registry) {
	tb.Helper()
	requests := at.Requests("/v2/")
	if len(requests) == 0 {
		tb.Error("the registry was not asked for anything, so its record shows nothing")
	}
	for _, request := range requests {
		if !strings.HasPrefix(request.UserAgent, "vouchsafe") {
			tb.Errorf("the registry was asked by another than the gateway: %s", request)
		}
	}
}

// checkNoContent demands that nobody, the gateway included, fetched the config
// or a layer of an image.
func checkNoContent(tb testing.TB, at *origin.Registry, image origin.Image) {
	tb.Helper()
	for _, blob := range image.Blobs {
		for _, request := range at.Requests(blob) {
			tb.Errorf("content of a refused image was fetched: %s", request)
		}
	}
}
