package verify

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestWhatIsShown has the signatures of some fixtures as JSON: what a result
// proves, in the shape that users read.
func TestWhatIsShown(t *testing.T) {
	material := recordedRoot(t)
	fulcio := func(identity, issuer string) []*certificateRule {
		return []*certificateRule{{
			identity: matcher{exact: identity}, issuer: matcher{exact: issuer}, demandSCT: true,
			authorities: authorityOf(recordedCertificates(t, "fulcio-chain.pem")), ctLogs: material.CTLogs(),
		}}
	}
	base := trust{logs: material.RekorLogs(), authorities: material.TimestampingAuthorities(), demandLog: true}
	var table strings.Builder
	for _, c := range []struct {
		image string
		ways  trust
	}{
		{"key-log", trust{keys: []*trustedKey{recordedKey(t, "k1")}}},
		{"keyless-gha", trust{certificates: fulcio(ghaIdentity, ghaIssuer)}},
		{"b-keyless", trust{certificates: fulcio(devIdentity, devIssuer)}},
		{"b2-keyless", trust{certificates: fulcio(devIdentity, devIssuer)}},
		{"b-keyless", trust{certificates: fulcio("eve@corp.example", devIssuer)}},
	} {
		trusted := base
		trusted.keys, trusted.certificates = c.ways.keys, c.ways.certificates
		got := Judge(recording(t, c.image), integrationOf("x", trusted), afterRecording)
		table.Write(must(json.MarshalIndent(got, "", "  "))(t))
		table.WriteString("\n")
		table.Write(must(json.MarshalIndent(got.Signatures, "", "  "))(t))
		table.WriteString("\n")
	}
	goldenFile(t, "testdata/shown.golden", table.String())
}

func TestDiffer(t *testing.T) {
	long := strings.Repeat("a", 200)
	for _, c := range []struct{ found, wanted, message string }{
		{"abc", "abd", `identity differs from character 3: found "abc", wanted "abd"`},
		{"", "a", `identity differs from character 1: found "", wanted "a"`},
		{"äöü", "äöx", `identity differs from character 3: found "äöü", wanted "äöx"`},
		{"a", "ab", `identity differs from character 2: found "a", wanted "ab"`},
		{long + "x", long, `identity differs from character 201: found "…` + strings.Repeat("a", 60) + `x", wanted "…` + strings.Repeat("a", 60) + `"`},
		{"b" + long, "c" + long, `identity differs from character 1: found "b` + strings.Repeat("a", 159) + `…", wanted "c` + strings.Repeat("a", 159) + `…"`},
		{"a\nb", "a", `identity differs from character 2: found "a\nb", wanted "a"`},
		{"\xff", "x", `identity differs from character 1: found "�", wanted "x"`},
	} {
		if message, _ := differ("identity", c.found, c.wanted); message != c.message {
			t.Errorf("got  %s\nwant %s", message, c.message)
		}
	}
}
