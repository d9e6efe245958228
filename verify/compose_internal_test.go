package verify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/oci"
)

func trustText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "fixtures", "trust", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// composed returns the trust of a spec that has no mistake.
func composed(t *testing.T, spec Spec) trust {
	t.Helper()
	in, err := LoadIntegration("a", spec, LoadOptions{Files: func(name string) ([]byte, error) {
		return []byte(trustText(t, name)), nil
	}})
	if in == nil {
		t.Fatal(err)
	}
	return in.trust
}

// TestEachPartComesFromItsFieldElseFromTheTrustedRoot: single PEMs replace single
// parts and no other.
func TestEachPartComesFromItsFieldElseFromTheTrustedRoot(t *testing.T) {
	base := func() Spec {
		return Spec{
			Certificates:    []CertificateSpec{{OIDCIssuer: "https://issuer.example", Identity: "a@b.example"}},
			TransparencyLog: &TransparencyLogSpec{Enabled: true, Offline: new(true)},
			TrustedRoot:     &TrustedRootSpec{File: "trusted_root.json"},
		}
	}
	parts := func(s Spec) [4]string {
		got := composed(t, s)
		rule := got.certificates[0]
		return [4]string{
			sortedList(rule.authorities, authorityText), logsText(rule.ctLogs), logsText(got.logs), sortedList(got.authorities, timestampText),
		}
	}
	want := parts(base())
	material, err := root.NewTrustedRootFromJSON([]byte(trustText(t, "trusted_root.json")))
	if err != nil {
		t.Fatal(err)
	}
	if want != [4]string{
		sortedList(material.FulcioCertificateAuthorities(), authorityText), logsText(material.CTLogs()),
		logsText(material.RekorLogs()), sortedList(material.TimestampingAuthorities(), timestampText),
	} {
		t.Error("without PEMs: got other parts than the trusted root's")
	}
	for i, change := range []func(*Spec){
		func(s *Spec) {
			s.Certificates[0].Chain = trustText(t, "own-chain.pem")
			s.Certificates[0].CertificateTransparency = &CertificateTransparencySpec{Enabled: new(true)}
		},
		func(s *Spec) {
			s.Certificates[0].CertificateTransparency = &CertificateTransparencySpec{PublicKey: trustText(t, "wrong.pub")}
		},
		func(s *Spec) { s.TransparencyLog.PublicKey = trustText(t, "wrong.pub") },
		func(s *Spec) { s.TimestampAuthority = &TimestampAuthoritySpec{Chain: trustText(t, "wrong-root.pem")} },
	} {
		spec := base()
		change(&spec)
		got := parts(spec)
		for j := range got {
			if (got[j] != want[j]) != (i == j) {
				t.Errorf("PEM %d: part %d is another: %v", i, j, got[j] != want[j])
			}
		}
	}
}

func TestDefaultsOfCertificates(t *testing.T) {
	offline := &TransparencyLogSpec{Enabled: true, Offline: new(true)}
	public := composed(t, Spec{
		Certificates: []CertificateSpec{{OIDCIssuer: "https://issuer.example", Identity: "a@b.example"}}, TransparencyLog: offline,
	})
	if rule := public.certificates[0]; !rule.demandSCT || rule.ownChain || len(rule.authorities) != 2 || len(rule.ctLogs) != 2 || public.nowAllowed(rule) {
		t.Errorf("of the embedded root: got %+v", rule)
	}
	if !public.demandLog || public.demandToken || len(public.logs) != 1 || len(public.authorities) != 1 || public.askLog != "" {
		t.Errorf("of the embedded root: got %+v", public)
	}
	entry := CertificateSpec{OIDCIssuer: "https://issuer.example", Identity: "a@b.example", Chain: trustText(t, "own-chain.pem")}
	own := composed(t, Spec{Certificates: []CertificateSpec{entry}})
	if rule := own.certificates[0]; rule.demandSCT || !rule.ownChain || len(rule.authorities) != 1 || !own.nowAllowed(rule) {
		t.Errorf("of an own chain: got %+v", rule)
	}
	logged := composed(t, Spec{Certificates: []CertificateSpec{entry}, TransparencyLog: offline})
	if logged.nowAllowed(logged.certificates[0]) {
		t.Error("of an own chain with a log: the chain may be judged at now")
	}
}

func TestPinnedAndFurtherCertificates(t *testing.T) {
	own := composed(t, Spec{Certificates: []CertificateSpec{{
		OIDCIssuer: "https://ci.corp.example", Identity: "builder@corp.example", Chain: trustText(t, "own-root.pem"),
		Intermediate: trustText(t, "own-leaf.pem") + trustText(t, "own-intermediate.pem"),
	}}})
	rule := own.certificates[0]
	if rule.pinned == nil || rule.pinned.Subject.CommonName != "own-leaf" || len(rule.extra) != 1 || rule.extra[0].Subject.CommonName != "own-intermediate" {
		t.Errorf("got %+v", rule)
	}
}

func TestTimestampChainOfTheFixtures(t *testing.T) {
	key := trustText(t, "k1.pub")
	got := composed(t, Spec{
		PublicKeys:         []PublicKeySpec{{Name: "a", Key: key}},
		TimestampAuthority: &TimestampAuthoritySpec{Enabled: true, Chain: trustText(t, "tsa-chain.pem")},
	})
	one, ok := got.authorities[0].(*root.SigstoreTimestampingAuthority)
	if !ok || len(got.authorities) != 1 || one.Leaf == nil || one.Root == nil || len(one.Intermediates) != 1 || !got.demandToken {
		t.Errorf("got %+v", got.authorities)
	}
}

func TestWindowsReachTheKeys(t *testing.T) {
	got := composed(t, Spec{PublicKeys: []PublicKeySpec{{
		Name: "a", Key: trustText(t, "k1.pub"), NotBefore: "2026-01-01T00:00:00Z", NotAfter: "2096-01-01T02:00:00+02:00",
	}}})
	want := window{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2096, 1, 1, 0, 0, 0, 0, time.UTC)}
	if got.keys[0].window != want {
		t.Errorf("got %v, want %v", got.keys[0].window, want)
	}
}

func TestWhereALogIsAsked(t *testing.T) {
	own := trustText(t, "rekor.pub")
	for _, c := range []struct {
		name       string
		spec       TransparencyLogSpec
		ownRoot    bool
		want, fail string
	}{
		{"the public log by default", TransparencyLogSpec{Enabled: true}, false, publicLogURL, ""},
		{"a URL", TransparencyLogSpec{Enabled: true, URL: "https://rekor.example/"}, false, "https://rekor.example", ""},
		{"a URL with a prefix", TransparencyLogSpec{Enabled: true, URL: "http://rekor.example:3000/log"}, true, "http://rekor.example:3000/log", ""},
		{"offline", TransparencyLogSpec{Enabled: true, Offline: new(true)}, true, "", ""},
		{"online in words", TransparencyLogSpec{Enabled: true, Offline: new(false)}, false, publicLogURL, ""},
		{"off", TransparencyLogSpec{}, false, "", ""},
		{"no URL for an own log", TransparencyLogSpec{Enabled: true, PublicKey: own}, false, "", "spec.transparencyLog.url: is missing"},
		{"no URL for an own trusted root", TransparencyLogSpec{Enabled: true}, true, "", "spec.transparencyLog.url: is missing"},
		{"no URL for an own log, offline", TransparencyLogSpec{Enabled: true, Offline: new(true), PublicKey: own}, false, "", ""},
		{"no URL at all", TransparencyLogSpec{Enabled: true, URL: "rekor"}, false, "", "url: is not a URL"},
		{"another scheme", TransparencyLogSpec{Enabled: true, URL: "ftp://rekor.example"}, false, "", "url: has a scheme"},
		{"a password", TransparencyLogSpec{Enabled: true, URL: "https://u:hunter2@rekor.example"}, false, "", "url: holds a user name or password"},
		{"a query", TransparencyLogSpec{Enabled: true, URL: "https://rekor.example?x=hunter2"}, false, "", "url: has a query"},
		{"the API's path", TransparencyLogSpec{Enabled: true, URL: "https://rekor.example/api/v1/log"}, false, "", "url: has the path of the API"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := Spec{PublicKeys: []PublicKeySpec{{Name: "a", Key: trustText(t, "k1.pub"), NotBefore: "2026-01-01T00:00:00Z"}}, TransparencyLog: &c.spec}
			if c.ownRoot {
				spec.TrustedRoot = &TrustedRootSpec{File: "trusted_root.json"}
			}
			composer := newComposer(spec, LoadOptions{Files: func(name string) ([]byte, error) { return []byte(trustText(t, name)), nil }})
			got := composer.compose()
			var problems []string
			for _, p := range composer.problems {
				problems = append(problems, p.Error())
			}
			if got.askLog != c.want || (c.fail == "") != (len(problems) == 0) || !strings.Contains(strings.Join(problems, "\n"), c.fail) {
				t.Errorf("got %q and %q, want %q and %q", got.askLog, problems, c.want, c.fail)
			}
			if strings.Contains(strings.Join(problems, "\n"), "hunter2") {
				t.Errorf("a message echoes the URL: %q", problems)
			}
		})
	}
}

func TestAliasesCoverTheSameRest(t *testing.T) {
	under := nameAlias{from: "docker.io/acme", to: "registry.acme.com/mirror/acme", under: true}
	registry := nameAlias{from: "docker.io", to: "mirror.example/hub", under: true}
	one := nameAlias{from: "docker.io/acme/api", to: "quay.io/api"}
	for _, c := range []struct {
		alias          nameAlias
		signed, origin string
		want           bool
	}{
		{under, "docker.io/acme/api", "registry.acme.com/mirror/acme/api", true},
		{under, "docker.io/acme/a/b", "registry.acme.com/mirror/acme/a/b", true},
		{under, "docker.io/acme", "registry.acme.com/mirror/acme", true},
		{under, "docker.io/acme/api", "registry.acme.com/mirror/acme/web", false},
		{under, "docker.io/acme-evil/api", "registry.acme.com/mirror/acme-evil/api", false},
		{under, "registry.acme.com/mirror/acme/api", "docker.io/acme/api", false},
		{under, "", "registry.acme.com/mirror/acme", false},
		{registry, "docker.io/library/nginx", "mirror.example/hub/library/nginx", true},
		{registry, "docker.io.evil.example/x", "mirror.example/hub.evil.example/x", false},
		{one, "docker.io/acme/api", "quay.io/api", true},
		{one, "docker.io/acme/api/x", "quay.io/api/x", false},
		{one, "docker.io/acme/api", "quay.io/other", false},
	} {
		if got := c.alias.covers(c.signed, c.origin); got != c.want {
			t.Errorf("%+v covers %s for %s: got %v, want %v", c.alias, c.signed, c.origin, got, c.want)
		}
	}
}

// TestEffectiveFillsIn: what is shown is what holds.
func TestEffectiveFillsIn(t *testing.T) {
	spec := Spec{Certificates: []CertificateSpec{{}, {Chain: "x"}, {Chain: "x", CertificateTransparency: &CertificateTransparencySpec{Enabled: new(true)}}}}
	text, err := json.Marshal(spec.Effective())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"certificates":[{"certificateTransparency":{"enabled":true}},{"chain":"x","certificateTransparency":{"enabled":false}},` +
		`{"chain":"x","certificateTransparency":{"enabled":true}}],"signedName":"Any"}`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if spec.SignedName != "" || spec.Certificates[0].CertificateTransparency != nil {
		t.Error("the spec itself was changed")
	}
}

// TestEveryProblemHasAPath: a mistake that points nowhere is shown nowhere.
func TestEveryProblemHasAPath(t *testing.T) {
	_, err := NewIntegration("a", Spec{
		PublicKeys: []PublicKeySpec{{}}, Certificates: []CertificateSpec{{Chain: "x", Intermediate: "y"}},
		TransparencyLog: &TransparencyLogSpec{Enabled: true, PublicKey: "z"}, TimestampAuthority: &TimestampAuthoritySpec{Enabled: true, Chain: "x"},
		TrustedRoot: &TrustedRootSpec{}, SignedName: "x",
	})
	fields := oci.FieldErrors(err)
	if len(fields) < 8 {
		t.Errorf("got %d problems of a spec that is all wrong", len(fields))
	}
	for _, f := range fields {
		if !strings.HasPrefix(f.Path, "spec.") || f.Message == "" {
			t.Errorf("got %+v", f)
		}
	}
}
