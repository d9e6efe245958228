package verify_test

import (
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// FuzzCertificates gives any text as what an entry of certificates holds: never a
// panic, never an entry that takes anybody, each mistake with its path.
func FuzzCertificates(f *testing.F) {
	p := newSpecPKI(f)
	f.Add(actions, "", releases, "", "", "", "")
	f.Add("", ".*", "", ".*", p.chain(), p.leaf.pem(), trustFile(f, "ctlog.pub"))
	f.Add("", "^x", "", "^https://github.com/acme", trustFile(f, "tsa-chain.pem"), trustFile(f, "own-leaf-noissuer.pem"), "")
	f.Add("a", "b", "c", "[", block("PRIVATE KEY", []byte("x")), "-----BEGIN CERTIFICATE-----", "-----END")
	f.Fuzz(func(t *testing.T, issuer, issuerExpression, identity, identityExpression, chain, intermediate, ct string) {
		spec := verify.Spec{
			Certificates: []verify.CertificateSpec{{
				OIDCIssuer: issuer, OIDCIssuerRegExp: issuerExpression, Identity: identity, IdentityRegExp: identityExpression,
				Chain: chain, Intermediate: intermediate, CertificateTransparency: &verify.CertificateTransparencySpec{PublicKey: ct},
			}},
			TransparencyLog:    &verify.TransparencyLogSpec{Enabled: true, Offline: new(true), PublicKey: ct},
			TimestampAuthority: &verify.TimestampAuthoritySpec{Enabled: true, Chain: intermediate},
		}
		in, err := loaded(spec, nil)
		mistakes := 0
		for _, field := range oci.FieldErrors(err) {
			if !field.Warning {
				mistakes++
			}
			if !strings.HasPrefix(field.Path, "spec.") || len(field.Message) > 2000 {
				t.Errorf("got %+v", field)
			}
		}
		if (in == nil) != (mistakes > 0) {
			t.Errorf("got an integration: %v, beside %d mistakes", in != nil, mistakes)
		}
		if in != nil && (identity == "" && identityExpression == "" || issuer == "" && issuerExpression == "") {
			t.Error("an entry without identity or issuer has loaded")
		}
	})
}

// FuzzTrustedRoot gives any text as a trusted root: never a panic, and what loads
// has a revision.
func FuzzTrustedRoot(f *testing.F) {
	f.Add([]byte(trustFile(f, "trusted_root.json")))
	f.Add([]byte(trustFile(f, "signing_config.json")))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","timestampAuthorities":[{"certChain":{"certificates":[{}]}}],"ctlogs":[{}]}`))
	s := fixedSigner(f)
	key := s.pem(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := loaded(verify.Spec{
			PublicKeys:      []verify.PublicKeySpec{{Name: "a", Key: key, NotBefore: "2026-01-01T00:00:00Z"}},
			TrustedRoot:     &verify.TrustedRootSpec{File: "root.json"},
			TransparencyLog: &verify.TransparencyLogSpec{},
		}, map[string]string{"root.json": string(text)})
		if (in == nil) == (err == nil) || in != nil && in.Revision() == "" {
			t.Errorf("got %v and %v", in, err)
		}
	})
}
