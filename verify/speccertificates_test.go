package verify_test

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/verify"
)

const (
	actions  = "https://token.actions.githubusercontent.com"
	releases = "https://github.com/acme/api/.github/workflows/release.yml@refs/heads/main"
)

// keyless is the smallest entry of the public instance; own one of an own chain.
func keyless() verify.CertificateSpec {
	return verify.CertificateSpec{OIDCIssuer: actions, Identity: releases}
}

func own(chain string) verify.CertificateSpec {
	return verify.CertificateSpec{OIDCIssuer: "https://ci.corp.example", Identity: "builder@corp.example", Chain: chain}
}

// logged demands an entry of the trusted root's logs.
func logged() *verify.TransparencyLogSpec {
	return &verify.TransparencyLogSpec{Enabled: true, Offline: new(true)}
}

func stamped() *verify.TimestampAuthoritySpec { return &verify.TimestampAuthoritySpec{Enabled: true} }

// TestCertificateRules has one line for each rule about whom a certificate names.
func TestCertificateRules(t *testing.T) {
	chain := newSpecPKI(t).chain()
	with := func(base verify.CertificateSpec, change func(*verify.CertificateSpec)) verify.CertificateSpec {
		change(&base)
		return base
	}
	const at = "spec.certificates[0]"
	for _, c := range []struct {
		name string
		spec verify.CertificateSpec
		want string
	}{
		{"a workflow of the public instance", keyless(), ""},
		{"a signer of an own chain", own(chain), ""},
		{"no identity", with(keyless(), func(s *verify.CertificateSpec) { s.Identity = "" }), at + ": has no identity"},
		{"no identity with an own chain", with(own(chain), func(s *verify.CertificateSpec) { s.Identity = "" }), at + ": has no identity"},
		{"no issuer", with(keyless(), func(s *verify.CertificateSpec) { s.OIDCIssuer = "" }), at + ": has no issuer"},
		{"no issuer with an own chain", with(own(chain), func(s *verify.CertificateSpec) { s.OIDCIssuer = "" }), at + ": or anyIssuer: true"},
		{"any issuer with an own chain", with(own(chain), func(s *verify.CertificateSpec) { s.OIDCIssuer, s.AnyIssuer = "", true }), ""},
		{"any issuer of the public instance", with(keyless(), func(s *verify.CertificateSpec) { s.OIDCIssuer, s.AnyIssuer = "", true }), at + ".anyIssuer: own chain alone"},
		{"any issuer beside one", with(own(chain), func(s *verify.CertificateSpec) { s.AnyIssuer = true }), at + ".anyIssuer: contradicts"},
		{"any issuer beside an expression", with(own(chain), func(s *verify.CertificateSpec) { s.OIDCIssuer, s.OIDCIssuerRegExp, s.AnyIssuer = "", "a", true }), at + ".anyIssuer: contradicts"},
		{"an identity twice", with(keyless(), func(s *verify.CertificateSpec) { s.IdentityRegExp = "https://github.com/acme/.*" }), at + ".identityRegExp: stands beside identity"},
		{"an issuer twice", with(keyless(), func(s *verify.CertificateSpec) { s.OIDCIssuerRegExp = "https://token.*" }), at + ".oidcIssuerRegExp: stands beside oidcIssuer"},
		{"a blank behind the identity", with(keyless(), func(s *verify.CertificateSpec) { s.Identity += " " }), at + ".identity: white space"},
		{"a line end behind the issuer", with(keyless(), func(s *verify.CertificateSpec) { s.OIDCIssuer += "\n" }), at + ".oidcIssuer: white space"},
		{"a control character", with(keyless(), func(s *verify.CertificateSpec) { s.Identity = "a\x1bb" }), at + ".identity: control character"},
		{"an identity of 1,025 characters", with(keyless(), func(s *verify.CertificateSpec) { s.Identity = strings.Repeat("x", 1025) }), at + ".identity: longer than 1024"},
		{"an identity of 1,024 characters", with(keyless(), func(s *verify.CertificateSpec) { s.Identity = strings.Repeat("x", 1024) }), ""},
		{"a glob as an identity", with(keyless(), func(s *verify.CertificateSpec) { s.Identity = "https://github.com/acme/*" }), "warning: " + at + ".identity: did you mean identityRegExp"},
		{"an expression as an identity", with(keyless(), func(s *verify.CertificateSpec) { s.Identity = "^https://github.com/acme/" }), "warning: " + at + ".identity: compared as it stands"},
		{"an issuer without scheme", with(keyless(), func(s *verify.CertificateSpec) { s.OIDCIssuer = "accounts.google.com" }), "warning: " + at + ".oidcIssuer: did you mean https://accounts.google.com"},
		{"a block of certificate timestamps with nothing in it", with(keyless(), func(s *verify.CertificateSpec) { s.CertificateTransparency = &verify.CertificateTransparencySpec{} }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := loaded(verify.Spec{Certificates: []verify.CertificateSpec{c.spec}, TransparencyLog: logged()}, nil)
			wantProblem(t, in, err, c.want)
		})
	}
}

// TestExpressions has what people write as expressions, for the public instance
// and for an own chain.
func TestExpressions(t *testing.T) {
	chain := newSpecPKI(t).chain()
	const at = "spec.certificates[0].identityRegExp"
	for _, c := range []struct{ expression, public, own string }{
		{`https://github\.com/acme/.*`, "", ""},
		{`^https://github\.com/acme/.*$`, "", ""},
		{`^https://github\.com/acme/.*`, "", ""},
		{`^https://github\.com/acme/`, "warning: " + at + `: did you mean ^https://github\.com/acme/.*`, "same"},
		{`^https://github\.com/acme`, "warning: " + at + `: did you mean ^https://github\.com/acme/.*`, "same"},
		{`^https://github\.com/acme/api/.github/workflows/r.yml@refs/tags/v`, "warning: " + at + `: refs/tags/v.*`, "same"},
		{`^.+@acme\.com`, "warning: " + at + `: did you mean ^.+@acme\.com$`, "same"},
		{`^https://github\.com/acme/(api|web)`, "warning: " + at + ": whole string", "same"},
		{`^(a|b.*)`, "warning: " + at + ": whole string", "same"},
		{`^https://github\.com/acme/[a-z]+`, "warning: " + at + ": whole string", "same"},
		{`.*`, at + ": nonsense", ""},
		{`.+`, at + ": nonsense", ""},
		{`^.*$`, at + ": nonsense", ""},
		{`https://.*`, at + ": nonsense", ""},
		{`https?://[^ ]+`, at + ": nonsense", ""},
		{`https://.+@refs/.+`, at + ": nonsense", ""},
		{`.*@.*`, at + ": nonsense", ""},
		{`[^@]+@.+`, at + ": nonsense", ""},
		{`.*|x`, at + ": nonsense", ""},
		{`(?i)HTTPS://.*`, at + ": nonsense", ""},
		{`.*@acme\.com`, "", ""},
		{`a)|(?:b`, at + ": is no expression (RE2): unexpected )", "same"},
		{`[`, at + ": is no expression (RE2): missing closing ]", "same"},
		{`(?=x)`, at + ": is no expression (RE2): invalid or unsupported Perl syntax", "same"},
		{` a`, at + ": white space", "same"},
		{strings.Repeat("x", 1025), at + ": longer than 1024", "same"},
		{`((x{100}){100}){100}`, at + ": is no expression (RE2)", "same"},
	} {
		t.Run(c.expression[:min(len(c.expression), 40)], func(t *testing.T) {
			public := verify.CertificateSpec{OIDCIssuer: actions, IdentityRegExp: c.expression}
			in, err := loaded(verify.Spec{Certificates: []verify.CertificateSpec{public}, TransparencyLog: logged()}, nil)
			wantProblem(t, in, err, c.public)
			ours := own(chain)
			ours.Identity, ours.IdentityRegExp = "", c.expression
			in, err = loaded(verify.Spec{Certificates: []verify.CertificateSpec{ours}}, nil)
			if c.own == "same" {
				c.own = c.public
			}
			wantProblem(t, in, err, c.own)
		})
	}
}

// TestAnExpressionOfAnyIssuerDoesNotLoadForThePublicInstance: it would switch the
// issuer off, which an entry without chain may not.
func TestAnExpressionOfAnyIssuerDoesNotLoadForThePublicInstance(t *testing.T) {
	spec := verify.Spec{
		Certificates:    []verify.CertificateSpec{{OIDCIssuerRegExp: ".*", Identity: releases}},
		TransparencyLog: logged(),
	}
	in, err := loaded(spec, nil)
	wantProblem(t, in, err, "spec.certificates[0].oidcIssuerRegExp: nonsense")
	spec.TrustedRoot = &verify.TrustedRootSpec{File: "root.json"}
	in, err = loaded(spec, map[string]string{"root.json": trustFile(t, "trusted_root.json")})
	wantProblem(t, in, err, "")
}

// TestThePublicInstanceIsKnownInAnyForm: who names its trusted root in a file, or
// pastes its root, trusts what anybody can get all the same.
func TestThePublicInstanceIsKnownInAnyForm(t *testing.T) {
	text, err := os.ReadFile("trustedroot/public-good.json")
	check(t, err)
	material, err := root.NewTrustedRootFromJSON(text)
	check(t, err)
	fulcio, ok := material.FulcioCertificateAuthorities()[1].(*root.FulcioCertificateAuthority)
	if !ok {
		t.Fatalf("got %T", material.FulcioCertificateAuthorities()[1])
	}
	files := map[string]string{"later.json": string(text)}
	anybody := verify.CertificateSpec{OIDCIssuer: actions, IdentityRegExp: ".*"}
	in, err := loaded(verify.Spec{
		Certificates: []verify.CertificateSpec{anybody}, TransparencyLog: logged(), TrustedRoot: &verify.TrustedRootSpec{File: "later.json"},
	}, files)
	wantProblem(t, in, err, "spec.certificates[0].identityRegExp: nonsense")
	anybody.Chain = block("CERTIFICATE", fulcio.Root.Raw)
	in, err = loaded(verify.Spec{Certificates: []verify.CertificateSpec{anybody}}, nil)
	wantProblem(t, in, err, "spec.certificates[0].identityRegExp: nonsense")
	anybody.OIDCIssuer, anybody.AnyIssuer, anybody.Identity, anybody.IdentityRegExp = "", true, "a@b.example", ""
	in, err = loaded(verify.Spec{Certificates: []verify.CertificateSpec{anybody}}, nil)
	wantProblem(t, in, err, "spec.certificates[0].anyIssuer: own chain alone")
}

// TestChainRules has what is pasted as a chain.
func TestChainRules(t *testing.T) {
	p := newSpecPKI(t)
	noCA := issue(t, "no authority", nil, nil)
	noSign := issue(t, "no signer", nil, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCRLSign })
	tls := issue(t, "tls alone", &p.root, func(c *x509.Certificate) {
		authority(c)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	expired := issue(t, "old root", nil, func(c *x509.Certificate) { authority(c); c.NotAfter = specNow.Add(-time.Minute) })
	future := issue(t, "next root", nil, func(c *x509.Certificate) { authority(c); c.NotBefore = specNow.Add(time.Minute) })
	weak := issueWith(t, "weak root", nil, smallRSA(t), authority)
	key := newSigner(t).pem(t)
	var many strings.Builder
	for range 33 {
		many.WriteString(p.root.pem())
	}
	var most strings.Builder
	most.WriteString(p.root.pem())
	for range 31 {
		most.WriteString(issue(t, "shard", &p.root, authority).pem())
	}
	private := block("PRIVATE KEY", []byte("hunter2 hunter2 hunter2"))
	const at = "spec.certificates[0].chain"
	for _, c := range []struct{ name, chain, want string }{
		{"a root alone", p.root.pem(), ""},
		{"any order", p.middle.pem() + p.lower.pem() + p.root.pem(), ""},
		{"two roots", p.root.pem() + p.other.pem(), ""},
		{"remarks between the blocks", "# our root\n" + p.root.pem() + "\nsubject=x\n" + p.middle.pem(), ""},
		{"a certificate twice", p.root.pem() + p.root.pem(), "warning: " + at + `: certificate 2 ("own root") is there twice`},
		{"no root", p.middle.pem() + p.lower.pem(), at + ": no self-signed root"},
		{"a leaf", p.chain() + p.leaf.pem(), at + `: "builder" is not a certificate authority (a leaf belongs into intermediate`},
		{"a self-signed leaf", noCA.pem(), at + ": CA:TRUE is missing"},
		{"a root that may not sign", noSign.pem(), at + ": CA:TRUE is missing"},
		{"an intermediate of another root", p.other.pem() + p.middle.pem(), at + `: certificate 2 ("own middle") chains to no root of the chain (its issuer is "own root")`},
		{"a gap between root and intermediate", p.root.pem() + p.lower.pem(), at + `: certificate 2 ("own lower") chains to no root`},
		{"an intermediate for another purpose", p.root.pem() + tls.pem(), at + ": is not for code signing"},
		{"an expired root", expired.pem(), "warning: " + at + `: certificate 1 ("old root") expired at 2026-06-01T11:59:00Z`},
		{"a root that is not valid yet", future.pem(), "warning: " + at + `: certificate 1 ("next root") is not valid before 2026-06-01T12:01:00Z`},
		{"RSA of 1024 bits", weak.pem(), at + `: certificate 1 ("weak root"): RSA of 1024 bits`},
		{"32 certificates", most.String(), ""},
		{"33 certificates", many.String(), at + ": more than 32 PEM blocks"},
		{"256 KiB and a byte", p.root.pem() + strings.Repeat("\n", 256<<10+1-len(p.root.pem())), at + ": longer than 256 KiB"},
		{"256 KiB", p.root.pem() + strings.Repeat("\n", 256<<10-len(p.root.pem())), ""},
		{"a public key", key, at + ": found a PUBLIC KEY, wanted a CERTIFICATE (a key that signs images belongs into publicKeys"},
		{"a private key", private, at + ": private key: remove it and rotate it"},
		{"a private key behind the root", p.root.pem() + private, at + ": private key"},
		{"a request", block("CERTIFICATE REQUEST", []byte("x")), at + ": a request is not a certificate"},
		{"PKCS#7", block("PKCS7", []byte("x")), at + ": openssl pkcs7"},
		{"openssl's own type", block("TRUSTED CERTIFICATE", p.root.certificate.Raw), at + ": openssl x509"},
		{"a revocation list", block("X509 CRL", []byte("x")), at + ": revocation lists"},
		{"another type", block("SOMETHING", []byte("x")), at + `: type "SOMETHING"`},
		{"a block without its end", p.root.pem() + strings.TrimSuffix(p.middle.pem(), "-----END CERTIFICATE-----\n"), at + ": a PEM block is damaged"},
		{"a block with a lost beginning", strings.TrimPrefix(p.root.pem(), "-----BEGIN CERTIFICATE-----\n"), at + ": PEM"},
		{"a block that holds nonsense", block("CERTIFICATE", []byte("hello")), at + ": certificate 1 of chain cannot be read"},
		{"a file name", "ca/chain.pem", at + ": names a file instead of holding it"},
		{"base64 without PEM", "aGVsbG8gd29ybGQ=", at + ": base64 without PEM"},
		{"JSON", `{"mediaType": "x"}`, at + ": found JSON, wanted PEM (a trusted root belongs into trustedRoot.file)"},
		{"prose", "the chain of our CA", at + ": not PEM"},
		{"blanks", " \n", at + ": is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := loaded(verify.Spec{Certificates: []verify.CertificateSpec{own(c.chain)}}, nil)
			wantProblem(t, in, err, c.want)
			if err != nil && strings.Contains(err.Error(), "aHVudGVy") {
				t.Errorf("the message echoes the key: %v", err)
			}
		})
	}
}

// TestIntermediateRules has what is pasted as further intermediates.
func TestIntermediateRules(t *testing.T) {
	p := newSpecPKI(t)
	stranger := issue(t, "stranger", &p.other, person("builder@corp.example"))
	eve := issue(t, "eve", &p.lower, person("eve@corp.example"))
	nobody := issue(t, "nobody", &p.lower, nil)
	expired := issue(t, "old leaf", &p.lower, func(c *x509.Certificate) {
		person("builder@corp.example")(c)
		c.NotAfter = specNow.Add(-time.Minute)
	})
	noIssuer := issue(t, "no issuer", &p.lower, func(c *x509.Certificate) {
		person("builder@corp.example")(c)
		c.ExtraExtensions = nil
	})
	self := issue(t, "self", nil, person("builder@corp.example"))
	const at = "spec.certificates[0].intermediate"
	for _, c := range []struct{ name, chain, intermediate, want string }{
		{"a further intermediate", p.root.pem() + p.middle.pem(), p.lower.pem(), ""},
		{"all intermediates", p.root.pem(), p.lower.pem() + p.middle.pem(), ""},
		{"a pinned leaf", p.chain(), p.leaf.pem(), ""},
		{"a pinned leaf with its intermediates", p.root.pem(), p.leaf.pem() + p.lower.pem() + p.middle.pem(), ""},
		{"a pinned leaf that expired", p.chain(), expired.pem(), "warning: " + at + ": expired at"},
		{"two leaves", p.chain(), p.leaf.pem() + nobody.pem(), at + ": more than one leaf"},
		{"a root", p.chain(), p.other.pem(), at + ": is self-signed: it adds no trust here (a root belongs into chain)"},
		{"a self-signed leaf", p.chain(), self.pem(), at + ": is self-signed"},
		{"a leaf of another authority", p.chain(), stranger.pem(), at + ": chains to no authority of this entry"},
		{"a leaf whose intermediate is missing", p.root.pem(), p.leaf.pem(), at + ": chains to no authority"},
		{"a leaf of somebody else", p.chain(), eve.pem(), at + `: the pinned certificate is of "eve@corp.example", which the identity does not match`},
		{"a leaf of nobody", p.chain(), nobody.pem(), at + ": the pinned certificate is of no identity"},
		{"a leaf by no issuer", p.chain(), noIssuer.pem(), at + `: the pinned certificate is by the issuer "", which is not the one wanted`},
		{"a leaf for timestamps", p.chain(), p.tsa.pem(), at + ": is not for code signing"},
		{"a key", p.chain(), newSigner(t).pem(t), at + ": found a PUBLIC KEY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := own(c.chain)
			spec.Intermediate = c.intermediate
			in, err := loaded(verify.Spec{Certificates: []verify.CertificateSpec{spec}}, nil)
			wantProblem(t, in, err, c.want)
		})
	}
}

func TestAnIntermediateOfTheTrustedRootsAuthorities(t *testing.T) {
	spec := verify.Spec{Certificates: []verify.CertificateSpec{keyless()}, TransparencyLog: logged()}
	spec.Certificates[0].Intermediate = newSpecPKI(t).middle.pem()
	in, err := loaded(spec, nil)
	wantProblem(t, in, err, "spec.certificates[0].intermediate: chains to no authority of this entry")
	spec.TrustedRoot = &verify.TrustedRootSpec{File: "root.json"}
	spec.Certificates[0].Intermediate = trustFile(t, "fulcio-intermediate.pem")
	in, err = loaded(spec, map[string]string{"root.json": trustFile(t, "trusted_root.json")})
	if in == nil {
		t.Errorf("got %v", err)
	}
}

// TestPinnedWorkflow: an identity that is a URL is found in a pinned certificate.
func TestPinnedWorkflow(t *testing.T) {
	p := newSpecPKI(t)
	leaf := issue(t, "", &p.lower, workflow(t, releases))
	spec := own(p.chain())
	spec.Identity, spec.IdentityRegExp, spec.Intermediate = "", `https://github\.com/acme/.*`, leaf.pem()
	in, err := loaded(verify.Spec{Certificates: []verify.CertificateSpec{spec}}, nil)
	wantProblem(t, in, err, "")
	spec.IdentityRegExp = `https://github\.com/acme`
	in, err = loaded(verify.Spec{Certificates: []verify.CertificateSpec{spec}}, nil)
	wantProblem(t, in, err, "spec.certificates[0].intermediate: does not match")
}

func TestTheSameCertificateEntryTwiceIsAWarning(t *testing.T) {
	in, err := loaded(verify.Spec{Certificates: []verify.CertificateSpec{keyless(), keyless()}, TransparencyLog: logged()}, nil)
	wantProblem(t, in, err, "warning: spec.certificates[1]: the same as certificates[0]")
}
