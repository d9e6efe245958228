package verify

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// configuration is one trust under which all fixtures are judged.
type configuration struct {
	name  string
	trust trust
	now   time.Time
}

// configurations are right for some fixtures and wrong in one thing at a time.
func configurations(t *testing.T) []configuration {
	material := recordedRoot(t)
	tsa := recordedCertificates(t, "tsa-chain.pem")
	fulcio := authorityOf(recordedCertificates(t, "fulcio-chain.pem"))
	own := authorityOf(recordedCertificates(t, "own-chain.pem"))
	rekor, wrongLog := recordedLogs(t, "rekor.pub"), recordedLogs(t, "wrong.pub")
	ct := recordedLogs(t, "ctlog.pub")
	k1 := func(w window) []*trustedKey {
		key := recordedKey(t, "k1")
		key.window = w
		return []*trustedKey{key}
	}
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	keyless := func(change func(*trust, *certificateRule)) trust {
		rule := &certificateRule{
			identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer},
			authorities: fulcio, demandSCT: true, ctLogs: ct,
		}
		out := trust{
			certificates: []*certificateRule{rule}, demandLog: true,
			logs: material.RekorLogs(), authorities: material.TimestampingAuthorities(),
		}
		change(&out, rule)
		return out
	}
	ownCA := func(change func(*trust, *certificateRule)) trust {
		rule := &certificateRule{
			identity: matcher{exact: ownIdentity}, issuer: matcher{exact: ownIssuer}, authorities: own, ownChain: true,
		}
		out := trust{certificates: []*certificateRule{rule}, logs: rekor}
		change(&out, rule)
		return out
	}
	gha := func(_ *trust, r *certificateRule) {
		r.identity, r.issuer = matcher{exact: ghaIdentity}, matcher{exact: ghaIssuer}
	}
	return []configuration{
		{name: "key", trust: trust{keys: k1(window{})}},
		{name: "key/other", trust: trust{keys: []*trustedKey{recordedKey(t, "k2")}}},
		{name: "key+log", trust: trust{keys: k1(window{}), logs: rekor, demandLog: true}},
		{name: "key+log/of another log", trust: trust{keys: k1(window{}), logs: wrongLog, demandLog: true}},
		{name: "key+root logs", trust: trust{keys: k1(window{}), logs: material.RekorLogs(), demandLog: true}},
		{name: "key+token", trust: trust{keys: k1(window{}), authorities: stampers(tsa), demandToken: true}},
		{name: "key+token/of another authority", trust: trust{keys: k1(window{}), authorities: stampers(recordedCertificates(t, "wrong-root.pem")), demandToken: true}},
		{name: "key/window over", trust: trust{keys: k1(window{notAfter: day(22)}), logs: rekor, authorities: stampers(tsa)}},
		{name: "key/window over since", trust: trust{keys: k1(window{day(23), day(24)}), logs: rekor, authorities: stampers(tsa)}},
		{name: "key/name", trust: trust{keys: k1(window{}), name: nameRule{mode: nameRepository}}},
		{name: "key/name if named", trust: trust{keys: k1(window{}), name: nameRule{mode: nameIfNamed}}},
		{name: "keyless", trust: keyless(func(*trust, *certificateRule) {})},
		{name: "keyless/identity", trust: keyless(func(_ *trust, r *certificateRule) { r.identity = matcher{exact: "eve@corp.example"} })},
		{name: "keyless/issuer", trust: keyless(func(_ *trust, r *certificateRule) { r.issuer = matcher{exact: "https://issuer.example"} })},
		{name: "keyless/part", trust: keyless(func(_ *trust, r *certificateRule) { r.identity = whole(t, "ev@corp") })},
		{name: "keyless/expression", trust: keyless(func(_ *trust, r *certificateRule) { r.identity = whole(t, `[a-z]+@corp\.example`) })},
		{name: "keyless/authority", trust: keyless(func(_ *trust, r *certificateRule) { r.authorities = own })},
		{name: "keyless/CT log", trust: keyless(func(_ *trust, r *certificateRule) { r.ctLogs = wrongLog })},
		{name: "keyless/token", trust: keyless(func(x *trust, _ *certificateRule) { x.demandLog, x.demandToken = false, true })},
		{name: "keyless/no time", trust: keyless(func(x *trust, _ *certificateRule) { x.demandLog, x.logs, x.authorities = false, nil, nil })},
		{name: "keyless/log v1 only", trust: keyless(func(x *trust, _ *certificateRule) { x.logs, x.authorities = rekor, nil })},
		{name: "keyless/GitHub", trust: keyless(gha)},
		{name: "keyless/GitHub any branch", trust: keyless(func(x *trust, r *certificateRule) {
			gha(x, r)
			r.identity = whole(t, `https://github\.com/acme/app/.*`)
		})},
		{name: "keyless/GitHub tag", trust: keyless(func(x *trust, r *certificateRule) {
			gha(x, r)
			r.identity = matcher{exact: strings.Replace(ghaIdentity, "heads/main", "tags/v1", 1)}
		})},
		{name: "own", trust: ownCA(func(*trust, *certificateRule) {})},
		{name: "own/root alone", trust: ownCA(func(_ *trust, r *certificateRule) {
			r.authorities = authorityOf(recordedCertificates(t, "own-root.pem"))
		})},
		{name: "own/other root", trust: ownCA(func(_ *trust, r *certificateRule) {
			r.authorities = authorityOf(recordedCertificates(t, "wrong-root.pem"))
		})},
		{name: "own/any issuer", trust: ownCA(func(_ *trust, r *certificateRule) { r.issuer, r.anyIssuer = matcher{}, true })},
		{name: "own/identity", trust: ownCA(func(_ *trust, r *certificateRule) { r.identity = matcher{exact: "builder@corp.example.org"} })},
		{name: "own/pinned", trust: ownCA(func(_ *trust, r *certificateRule) { r.pinned = recordedCertificates(t, "own-leaf.pem")[0] })},
		{name: "own/pinned other", trust: ownCA(func(_ *trust, r *certificateRule) { r.pinned = recordedCertificates(t, "own-leaf-noissuer.pem")[0] })},
		{name: "own/SCT", trust: ownCA(func(_ *trust, r *certificateRule) { r.demandSCT, r.ctLogs = true, ct })},
		{name: "own+log", trust: ownCA(func(x *trust, _ *certificateRule) { x.demandLog = true })},
		{name: "own/after its end", trust: ownCA(func(*trust, *certificateRule) {}), now: time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)},
		{name: "nothing"},
	}
}

// TestEveryFixtureUnderEveryTrust has one row for each image and configuration.
func TestEveryFixtureUnderEveryTrust(t *testing.T) {
	all := configurations(t)
	var table strings.Builder
	for _, image := range recordings(t) {
		for _, c := range all {
			now := afterRecording
			if !c.now.IsZero() {
				now = c.now
			}
			r := Judge(image.evidence, integrationOf("signers", c.trust), now)
			by := r.Signer
			if r.Issuer != "" {
				by += " " + r.Issuer
			}
			if r.LogIndex != nil {
				by += fmt.Sprintf(" #%d", *r.LogIndex)
			}
			fmt.Fprintf(&table, "%-11s %s %-30s %-9s %-19s [%s] %s\n",
				image.name, image.evidence.Digest.Hex()[:8], c.name, r.Status, r.Reason, by, r.Message)
			if r.Status == Verified && (r.Signer == "" || r.Reason != "") || r.Message == "" || strings.ContainsAny(r.Message, "\r\n") {
				t.Errorf("%s under %s: %+v", image.name, c.name, r)
			}
		}
	}
	goldenFile(t, "testdata/every-way.golden", table.String())
}

func goldenFile(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := string(must(os.ReadFile(path))(t))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got; UPDATE_GOLDEN=1 writes it):\n%s", path, diff)
	}
}
