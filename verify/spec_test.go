package verify_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"vouchsafe/verify"
)

// specFiles are what the documents of these tests may name.
func specFiles(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"root.json":  trustFile(t, "trusted_root.json"),
		"empty.json": `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`,
	}
}

// TestConditions has what is demanded beside a signer, each in one document, and
// each that could have no effect.
func TestConditions(t *testing.T) {
	p := newSpecPKI(t)
	key := verify.PublicKeySpec{Name: "a", Key: newSigner(t).pem(t)}
	dated := key
	dated.NotAfter = "2027-01-01T00:00:00Z"
	keys, windows := []verify.PublicKeySpec{key}, []verify.PublicKeySpec{dated}
	rekor, ct := trustFile(t, "rekor.pub"), trustFile(t, "ctlog.pub")
	file := func(name string) *verify.TrustedRootSpec { return &verify.TrustedRootSpec{File: name} }
	log := func(change func(*verify.TransparencyLogSpec)) *verify.TransparencyLogSpec {
		spec := logged()
		change(spec)
		return spec
	}
	ownKeyless := own(p.chain())
	ownSCT := own(p.chain())
	ownSCT.CertificateTransparency = &verify.CertificateTransparencySpec{Enabled: new(true)}
	withCT := func(base verify.CertificateSpec, block verify.CertificateTransparencySpec) []verify.CertificateSpec {
		base.CertificateTransparency = &block
		return []verify.CertificateSpec{base}
	}
	kinds := allKinds(t)
	both := issue(t, "both", &p.root, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageCodeSigning}
	})
	certificates := func(all ...verify.CertificateSpec) []verify.CertificateSpec { return all }
	for _, c := range []struct {
		name string
		spec verify.Spec
		want string
	}{
		{"nothing", verify.Spec{}, "spec.publicKeys: at least one public key or certificate"},
		{"conditions without a signer", verify.Spec{TransparencyLog: logged()}, "spec.publicKeys: at least one"},

		{"a log entry of the public log", verify.Spec{PublicKeys: keys, TransparencyLog: logged()}, ""},
		{"a log entry of an own log", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = rekor + ct })}, ""},
		{"a log that is off", verify.Spec{PublicKeys: keys, TransparencyLog: &verify.TransparencyLogSpec{}}, ""},
		{"a log that is off and offline", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.Enabled = false })}, ""},
		{"a log without offline", verify.Spec{PublicKeys: keys, TransparencyLog: &verify.TransparencyLogSpec{Enabled: true}}, ""},
		{"a log that is asked", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.Offline = new(false) })}, ""},
		{"a URL although offline", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.URL = "https://rekor.example" })}, "spec.transparencyLog.url: has no effect with offline: true"},
		{"a URL although off", verify.Spec{PublicKeys: keys, TransparencyLog: &verify.TransparencyLogSpec{URL: "https://rekor.example"}}, "spec.transparencyLog.url: has no effect while enabled is false"},
		{"a log key although off, for keys alone", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.Enabled, s.PublicKey = false, rekor })}, "spec.transparencyLog.publicKey: has no effect while enabled is false"},
		{"a log key although off, for the time in a window", verify.Spec{PublicKeys: windows, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.Enabled, s.PublicKey = false, rekor })}, ""},
		{"a certificate as a log key", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = p.root.pem() })}, "spec.transparencyLog.publicKey: found a CERTIFICATE, wanted a PUBLIC KEY (take its key out"},
		{"a private key as a log key", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = rekor + block("EC PRIVATE KEY", []byte("x")) })}, "spec.transparencyLog.publicKey: this holds a private key"},
		{"a weak log key", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = block("PUBLIC KEY", pkix(t, smallRSA(t).Public())) })}, "spec.transparencyLog.publicKey: PEM block 1: RSA of 1024 bits"},
		{"a log key that is RSA", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = rekor + kinds["RSA"].pem(t) })}, "warning: spec.transparencyLog.publicKey: by ECDSA keys alone"},
		{"a log key that is Ed25519", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = kinds["Ed25519"].pem(t) })}, "warning: spec.transparencyLog.publicKey: by ECDSA keys alone"},
		{"an Ed25519 key of a certificate log", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{PublicKey: kinds["Ed25519"].pem(t)}), TransparencyLog: logged()}, "spec.certificates[0].certificateTransparency.publicKey: this is an Ed25519 key"},
		{"an RSA key of a certificate log", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{PublicKey: kinds["RSA"].pem(t)}), TransparencyLog: logged()}, ""},
		{"33 log keys", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = strings.Repeat(rekor, 33) })}, "spec.transparencyLog.publicKey: more than 32"},
		{"a log key that is none", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = rekor + block("PUBLIC KEY", []byte("x")) })}, "spec.transparencyLog.publicKey: PEM block 2 holds no public key"},
		{"a log of a trusted root that has none", verify.Spec{PublicKeys: keys, TransparencyLog: logged(), TrustedRoot: file("empty.json")}, "spec.transparencyLog.enabled: the trusted root has no transparency log"},

		{"a timestamp of the public authority", verify.Spec{PublicKeys: keys, TimestampAuthority: stamped()}, ""},
		{"a timestamp of an own authority", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: p.tsa.pem() + p.root.pem() + p.middle.pem()}}, ""},
		{"a timestamp chain without its signer", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: p.root.pem() + p.middle.pem()}}, ""},
		{"a timestamp of no authority", verify.Spec{PublicKeys: keys, TimestampAuthority: stamped(), TrustedRoot: file("empty.json")}, "spec.timestampAuthority.enabled: the trusted root has no timestamp authority"},
		{"a timestamp chain although off, for keys alone", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Chain: p.chain()}}, "spec.timestampAuthority.chain: has no effect while enabled is false"},
		{"a timestamp chain although off, for a window", verify.Spec{PublicKeys: windows, TimestampAuthority: &verify.TimestampAuthoritySpec{Chain: p.chain()}}, ""},
		{"a timestamp chain of a signer of code", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: p.chain() + p.leaf.pem()}}, `spec.timestampAuthority.chain: certificate 4 ("builder") is not for timestamps`},
		{"a timestamp chain of a signer of everything", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: p.root.pem() + both.pem()}}, `spec.timestampAuthority.chain: "both" is not a certificate for timestamps alone`},
		{"a timestamp chain without root", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: p.tsa.pem()}}, "spec.timestampAuthority.chain: no self-signed root"},
		{"a timestamp signer of another root", verify.Spec{PublicKeys: keys, TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: p.tsa.pem() + p.other.pem()}}, "spec.timestampAuthority.chain: chains to no root"},

		{"a keyless identity with a log", verify.Spec{Certificates: certificates(keyless()), TransparencyLog: logged()}, ""},
		{"a keyless identity with timestamps", verify.Spec{Certificates: certificates(keyless()), TimestampAuthority: stamped()}, ""},
		{"a keyless identity with neither", verify.Spec{Certificates: certificates(keyless())}, "spec.certificates[0]: without chain it needs a proof of when a signature was made"},
		{"a keyless identity with both off", verify.Spec{Certificates: certificates(keyless()), TransparencyLog: &verify.TransparencyLogSpec{}, TimestampAuthority: &verify.TimestampAuthoritySpec{}}, "spec.certificates[0]: without chain it needs"},
		{"an own chain with neither", verify.Spec{Certificates: certificates(ownKeyless)}, ""},
		{"an own chain beside a key", verify.Spec{PublicKeys: keys, Certificates: certificates(ownKeyless)}, ""},
		{"a keyless identity of a root without authorities", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{PublicKey: ct}), TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = rekor }), TrustedRoot: file("empty.json")}, "spec.certificates[0]: the trusted root has no certificate authority"},

		{"certificate timestamps of an own log", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{PublicKey: ct}), TransparencyLog: logged()}, ""},
		{"no certificate timestamps", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{Enabled: new(false)}), TransparencyLog: logged()}, ""},
		{"a log key for certificate timestamps that are off", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{Enabled: new(false), PublicKey: ct}), TransparencyLog: logged()}, "spec.certificates[0].certificateTransparency.publicKey: has no effect while enabled is false"},
		{"a log key for certificate timestamps that an own chain does not demand", verify.Spec{Certificates: withCT(ownKeyless, verify.CertificateTransparencySpec{PublicKey: ct})}, "spec.certificates[0].certificateTransparency.publicKey: has no effect with chain unless enabled: true"},
		{"certificate timestamps of an own chain", verify.Spec{Certificates: withCT(ownKeyless, verify.CertificateTransparencySpec{Enabled: new(true), PublicKey: ct})}, ""},
		{"certificate timestamps of a root without logs", verify.Spec{Certificates: certificates(ownSCT), TrustedRoot: file("empty.json")}, "spec.certificates[0].certificateTransparency: the trusted root has no certificate log"},
		{"a log key for certificate timestamps that is a file name", verify.Spec{Certificates: withCT(keyless(), verify.CertificateTransparencySpec{PublicKey: "ct.pub"}), TransparencyLog: logged()}, "spec.certificates[0].certificateTransparency.publicKey: names a file"},

		{"a trusted root for a log", verify.Spec{PublicKeys: keys, TransparencyLog: logged(), TrustedRoot: file("root.json")}, ""},
		{"a trusted root for timestamps", verify.Spec{PublicKeys: keys, TimestampAuthority: stamped(), TrustedRoot: file("root.json")}, ""},
		{"a trusted root for identities", verify.Spec{Certificates: certificates(keyless()), TransparencyLog: logged(), TrustedRoot: file("root.json")}, ""},
		{"a trusted root for certificate logs", verify.Spec{Certificates: certificates(ownSCT), TrustedRoot: file("root.json")}, ""},
		{"a trusted root for the time in a window", verify.Spec{PublicKeys: windows, TrustedRoot: file("root.json")}, ""},
		{"a trusted root for keys alone", verify.Spec{PublicKeys: keys, TrustedRoot: file("root.json")}, "spec.trustedRoot: has no effect"},
		{"a trusted root of which all is overridden", verify.Spec{PublicKeys: keys, TransparencyLog: log(func(s *verify.TransparencyLogSpec) { s.PublicKey = rekor }), TrustedRoot: file("root.json")}, "spec.trustedRoot: has no effect"},
		{"a trusted root that is not there", verify.Spec{PublicKeys: keys, TransparencyLog: logged(), TrustedRoot: file("nowhere.json")}, "spec.trustedRoot.file: nowhere.json: file does not exist"},
		{"a trusted root without a name", verify.Spec{PublicKeys: keys, TransparencyLog: logged(), TrustedRoot: file("")}, "spec.trustedRoot: names neither file nor tuf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := loaded(c.spec, specFiles(t))
			wantProblem(t, in, err, c.want)
		})
	}
}

// TestKeyWindows has what is written as a window.
func TestKeyWindows(t *testing.T) {
	key := newSigner(t).pem(t)
	const at = "spec.publicKeys[0]"
	for _, c := range []struct{ name, notBefore, notAfter, want string }{
		{"none", "", "", ""},
		{"a beginning", "2026-01-01T00:00:00Z", "", ""},
		{"an end", "", "2027-01-01T00:00:00Z", ""},
		{"both, in another zone", "2026-01-01T00:00:00+02:00", "2027-01-01T00:00:00-05:00", ""},
		{"the end before the beginning", "2027-01-01T00:00:00Z", "2026-12-01T00:00:00Z", at + ".notAfter: is not after notBefore"},
		{"the end at the beginning", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00+01:00", at + ".notAfter: is not after notBefore"},
		{"an end that is past", "", "2026-01-01T00:00:00Z", "warning: " + at + ".notAfter: is past"},
		{"a date alone", "2026-01-01", "", at + `.notBefore: "2026-01-01" is not a time`},
		{"a day that does not exist", "", "2026-02-30T00:00:00Z", at + ".notAfter: is not a time"},
		{"a word", "never", "", at + `.notBefore: "never" is not a time`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := loaded(verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "a", Key: key, NotBefore: c.notBefore, NotAfter: c.notAfter}}}, nil)
			wantProblem(t, in, err, c.want)
		})
	}
}

// TestSignedNames has what is written about signed names.
func TestSignedNames(t *testing.T) {
	keys := []verify.PublicKeySpec{{Name: "a", Key: newSigner(t).pem(t)}}
	const at = "spec.signedNameAliases[0]"
	for _, c := range []struct{ name, mode, from, to, want string }{
		{"any", "Any", "", "", ""},
		{"the repository", "Repository", "", "", ""},
		{"the repository if named", "RepositoryIfNamed", "", "", ""},
		{"another word", "repository", "", "", `spec.signedName: "repository" is not known (write Any, Repository or RepositoryIfNamed)`},
		{"all under a path", "Repository", "docker.io/acme/**", "registry.acme.com/mirror/acme/**", ""},
		{"all of a registry", "Repository", "docker.io/**", "registry.acme.com:5000/docker/**", ""},
		{"one repository", "RepositoryIfNamed", "docker.io/acme/api", "registry.acme.com/api", ""},
		{"aliases without effect", "Any", "docker.io/acme/**", "registry.acme.com/**", "spec.signedNameAliases: has no effect with signedName: Any"},
		{"aliases without a mode", "", "docker.io/acme/**", "registry.acme.com/**", "spec.signedNameAliases: has no effect"},
		{"a wildcard on one side", "Repository", "docker.io/acme/**", "registry.acme.com/acme", at + ": only one of from and to ends in /**"},
		{"the same on both sides", "Repository", "docker.io/acme/**", "docker.io/acme/**", at + ": from and to are the same"},
		{"a wildcard in the middle", "Repository", "docker.io/*/api", "registry.acme.com/api", at + ".from: only /** at the end"},
		{"wildcards alone", "Repository", "docker.io/acme/**", "**", at + ".to: only /** at the end"},
		{"no registry", "Repository", "acme/api", "registry.acme.com/api", at + `.from: "acme/api" has no registry part`},
		{"an alias of a registry", "Repository", "index.docker.io/acme/api", "registry.acme.com/api", at + ".from: write docker.io"},
		{"a registry alone", "Repository", "docker.io/acme/api", "registry.acme.com", at + ".to: write registry.acme.com/** for all of it"},
		{"a tag", "Repository", "docker.io/acme/api:1", "registry.acme.com/api", at + ".from: without tag and digest"},
		{"a digest", "Repository", "docker.io/acme/api@sha256:00", "registry.acme.com/api", at + ".from: without tag and digest"},
		{"upper case", "Repository", "docker.io/Acme/api", "registry.acme.com/api", at + ".from: in lower case"},
		{"a scheme", "Repository", "https://docker.io/acme/api", "registry.acme.com/api", at + ".from: has a scheme"},
		{"a short name", "Repository", "docker.io/nginx", "registry.acme.com/nginx", at + ".from: write docker.io/library/nginx"},
		{"an empty side", "Repository", "docker.io/acme/api", "", at + ".to: is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := verify.Spec{PublicKeys: keys, SignedName: c.mode}
			if c.from+c.to != "" {
				spec.SignedNameAliases = []verify.AliasSpec{{From: c.from, To: c.to}}
			}
			in, err := loaded(spec, nil)
			wantProblem(t, in, err, c.want)
		})
	}
	spec := verify.Spec{PublicKeys: keys, SignedName: "Repository"}
	spec.SignedNameAliases = []verify.AliasSpec{{"docker.io/a/b", "quay.io/a/b"}, {"docker.io/a/b", "quay.io/a/b"}}
	in, err := loaded(spec, nil)
	wantProblem(t, in, err, "warning: spec.signedNameAliases[1]: the same as signedNameAliases[0]")
}

// TestRevisionOfEachPart: each part that can change a result changes the revision,
// and what cannot does not.
func TestRevisionOfEachPart(t *testing.T) {
	p := newSpecPKI(t)
	rekor, ct := trustFile(t, "rekor.pub"), trustFile(t, "ctlog.pub")
	key := newSigner(t).pem(t)
	base := func() verify.Spec {
		spec := verify.Spec{
			PublicKeys:         []verify.PublicKeySpec{{Name: "a", Key: key, NotAfter: "2027-01-01T00:00:00Z"}},
			Certificates:       []verify.CertificateSpec{own(p.root.pem()), own(p.chain())},
			TransparencyLog:    logged(),
			TimestampAuthority: stamped(),
			TrustedRoot:        &verify.TrustedRootSpec{File: "root.json"},
			SignedName:         "Repository",
			SignedNameAliases:  []verify.AliasSpec{{"docker.io/a/**", "quay.io/a/**"}, {"docker.io/b", "quay.io/b"}},
		}
		spec.Certificates[1].Identity = "tester@corp.example"
		spec.SignedNameAliases[1] = verify.AliasSpec{From: "docker.io/b/b", To: "quay.io/b"}
		return spec
	}
	rootJSON := trustFile(t, "trusted_root.json")
	of := func(spec verify.Spec, rootJSON string) string {
		in, err := loaded(spec, map[string]string{"root.json": rootJSON, "other.json": rootJSON})
		if in == nil {
			t.Fatal(err)
		}
		return in.Revision()
	}
	want := of(base(), rootJSON)
	spaced := strings.ReplaceAll(strings.ReplaceAll(rootJSON, "\n", "\n\n  "), `": `, "\" :\t")
	if spaced == rootJSON {
		spaced = strings.ReplaceAll(rootJSON, ",", " ,\n")
	}
	for name, c := range map[string]struct {
		change func(*verify.Spec)
		same   bool
	}{
		"nothing":                   {func(*verify.Spec) {}, true},
		"the order of certificates": {func(s *verify.Spec) { s.Certificates[0], s.Certificates[1] = s.Certificates[1], s.Certificates[0] }, true},
		"the order of a chain":      {func(s *verify.Spec) { s.Certificates[1].Chain = p.root.pem() + p.middle.pem() + p.lower.pem() }, true},
		"the layout of a chain":     {func(s *verify.Spec) { s.Certificates[0].Chain = "# root\n" + p.root.pem() + "\n\n" }, true},
		"the order of aliases": {func(s *verify.Spec) {
			s.SignedNameAliases[0], s.SignedNameAliases[1] = s.SignedNameAliases[1], s.SignedNameAliases[0]
		}, true},
		"the name of the trusted root": {func(s *verify.Spec) { s.TrustedRoot.File = "other.json" }, true},
		"a default that is written":    {func(s *verify.Spec) { *s = s.Effective() }, true},
		"a window in another zone":     {func(s *verify.Spec) { s.PublicKeys[0].NotAfter = "2027-01-01T01:00:00+01:00" }, true},
		"a window":                     {func(s *verify.Spec) { s.PublicKeys[0].NotAfter = "2027-01-01T00:00:01Z" }, false},
		"a window's other end":         {func(s *verify.Spec) { s.PublicKeys[0].NotBefore = "2026-01-01T00:00:00Z" }, false},
		"an identity":                  {func(s *verify.Spec) { s.Certificates[0].Identity += "x" }, false},
		"an identity as expression": {func(s *verify.Spec) {
			s.Certificates[0].Identity, s.Certificates[0].IdentityRegExp = "", "builder@corp.example"
		}, false},
		"an issuer":       {func(s *verify.Spec) { s.Certificates[0].OIDCIssuer += "x" }, false},
		"any issuer":      {func(s *verify.Spec) { s.Certificates[0].OIDCIssuer, s.Certificates[0].AnyIssuer = "", true }, false},
		"a chain":         {func(s *verify.Spec) { s.Certificates[0].Chain = p.other.pem() }, false},
		"an intermediate": {func(s *verify.Spec) { s.Certificates[0].Intermediate = p.middle.pem() }, false},
		"a pinned leaf":   {func(s *verify.Spec) { s.Certificates[0].Intermediate = p.middle.pem() + p.lower.pem() + p.leaf.pem() }, false},
		"certificate timestamps": {func(s *verify.Spec) {
			s.Certificates[0].CertificateTransparency = &verify.CertificateTransparencySpec{Enabled: new(true)}
		}, false},
		"a certificate log": {func(s *verify.Spec) {
			s.Certificates[0].CertificateTransparency = &verify.CertificateTransparencySpec{Enabled: new(true), PublicKey: rekor}
		}, false},
		"a log key":            {func(s *verify.Spec) { s.TransparencyLog.PublicKey = ct }, false},
		"no log":               {func(s *verify.Spec) { s.TransparencyLog = nil }, false},
		"no timestamps":        {func(s *verify.Spec) { s.TimestampAuthority = nil }, false},
		"a timestamp chain":    {func(s *verify.Spec) { s.TimestampAuthority.Chain = p.root.pem() }, false},
		"another trusted root": {func(s *verify.Spec) { s.TrustedRoot = nil }, false},
		"a name":               {func(s *verify.Spec) { s.SignedName = "RepositoryIfNamed" }, false},
		"an alias":             {func(s *verify.Spec) { s.SignedNameAliases[1].To += "x" }, false},
		"an alias turned":      {func(s *verify.Spec) { a := &s.SignedNameAliases[1]; a.From, a.To = a.To, a.From }, false},
	} {
		spec := base()
		c.change(&spec)
		if got := of(spec, rootJSON); (got == want) != c.same {
			t.Errorf("%s: same revision is %v, want %v", name, got == want, c.same)
		}
	}
	if of(base(), spaced) != want {
		t.Error("another layout of the trusted root's JSON: got another revision")
	}
}

func TestWantsOfIdentities(t *testing.T) {
	chain := newSpecPKI(t).chain()
	long := "https://github.com/acme/a-repository-with-a-long-name/.github/workflows/release.yml"
	for _, c := range []struct {
		spec verify.CertificateSpec
		want string
	}{
		{verify.CertificateSpec{OIDCIssuer: actions, Identity: long + "@refs/heads/main"}, "…@refs/heads/main from " + actions},
		{verify.CertificateSpec{OIDCIssuer: actions, IdentityRegExp: long + "@refs/tags/v.*"}, "…@refs/tags/v.* from " + actions},
		{verify.CertificateSpec{OIDCIssuer: "https://accounts.google.com", Identity: "dev@corp.example"}, "dev@corp.example from https://accounts.google.com"},
		{verify.CertificateSpec{OIDCIssuer: actions, Identity: strings.Repeat("é", 100)}, "…" + strings.Repeat("é", 40) + " from " + actions},
		{verify.CertificateSpec{AnyIssuer: true, Chain: chain, Identity: "dev@corp.example"}, "dev@corp.example from any issuer"},
	} {
		in, err := loaded(verify.Spec{
			PublicKeys:   []verify.PublicKeySpec{{Name: "release-2026", Key: newSigner(t).pem(t)}},
			Certificates: []verify.CertificateSpec{c.spec}, TransparencyLog: logged(),
		}, nil)
		check(t, err)
		if want := "release-2026, " + c.want; in.Wants() != want {
			t.Errorf("got %q, want %q", in.Wants(), want)
		}
	}
}
