package verify

import (
	"errors"
	"testing"
	"time"

	"vouchsafe/oci"
)

// recordedIssuer is the issuer of the recorded keyless signatures.
const recordedIssuer = "http://127.0.0.1:15001/email"

// TestDocumentsJudgeTheRecordings: what a person writes, not a trust made by hand,
// gives the verdict that it should.
func TestDocumentsJudgeTheRecordings(t *testing.T) {
	file := func(name string) string { return trustText(t, name) }
	rooted := func(s Spec) Spec {
		s.TrustedRoot = &TrustedRootSpec{File: "trusted_root.json"}
		return s
	}
	log := func(key string) *TransparencyLogSpec {
		return &TransparencyLogSpec{Enabled: true, Offline: new(true), PublicKey: key}
	}
	k1 := []PublicKeySpec{{Name: "k1", Key: file("k1.pub")}}
	withWindow := func(notBefore, notAfter string) Spec {
		return Spec{PublicKeys: []PublicKeySpec{{Name: "k1", Key: file("k1.pub"), NotBefore: notBefore, NotAfter: notAfter}}}
	}
	dev := func(change func(*CertificateSpec)) []CertificateSpec {
		one := CertificateSpec{OIDCIssuer: recordedIssuer, Identity: "dev@corp.example"}
		if change != nil {
			change(&one)
		}
		return []CertificateSpec{one}
	}
	builder := func(chain, intermediate string) Spec {
		return Spec{Certificates: []CertificateSpec{{
			OIDCIssuer: "https://ci.corp.example", Identity: "builder@corp.example", Chain: chain, Intermediate: intermediate,
		}}}
	}
	single := dev(func(s *CertificateSpec) {
		s.Chain = file("fulcio-chain.pem")
		s.CertificateTransparency = &CertificateTransparencySpec{Enabled: new(true), PublicKey: file("ctlog.pub")}
	})
	stamps := func(chain string) *TimestampAuthoritySpec {
		return &TimestampAuthoritySpec{Enabled: true, Chain: chain}
	}
	for _, c := range []struct {
		name, recording string
		spec            Spec
		status          Status
		reason          Reason
	}{
		{"a key", "key-nolog", Spec{PublicKeys: k1}, Verified, ""},
		{"another key", "key-nolog", Spec{PublicKeys: []PublicKeySpec{{Name: "k2", Key: file("k2.pub")}}}, Untrusted, KeyMismatch},
		{"a key that was withdrawn", "key-nolog", withWindow("", "2026-01-01T00:00:00Z"), Untrusted, KeyExpired},
		{"a key that holds on", "key-nolog", withWindow("2026-01-01T00:00:00Z", "2050-01-01T00:00:00Z"), Verified, ""},
		{"a key and the repository that it names", "key-nolog", Spec{PublicKeys: k1, SignedName: "Repository"}, Verified, ""},
		{"a logged key by a single log key", "key-log", Spec{PublicKeys: k1, TransparencyLog: log(file("rekor.pub"))}, Verified, ""},
		{"a logged key by two log keys", "key-log", Spec{PublicKeys: k1, TransparencyLog: log(file("wrong.pub") + file("rekor.pub"))}, Verified, ""},
		{"a logged key by another log", "key-log", Spec{PublicKeys: k1, TransparencyLog: log(file("wrong.pub"))}, Untrusted, ""},
		{"a logged key by the public log", "key-log", Spec{PublicKeys: k1, TransparencyLog: log("")}, Untrusted, ""},
		{"a logged key by the trusted root", "key-log", rooted(Spec{PublicKeys: k1, TransparencyLog: log("")}), Verified, ""},
		{"a key that was not logged", "key-nolog", rooted(Spec{PublicKeys: k1, TransparencyLog: log("")}), Untrusted, TlogMissing},
		{"an identity by the trusted root", "keyless", rooted(Spec{Certificates: dev(nil), TransparencyLog: log("")}), Verified, ""},
		{"an identity by single PEMs", "keyless", Spec{Certificates: single, TransparencyLog: log(file("rekor.pub"))}, Verified, ""},
		{"an identity of the public instance", "keyless", Spec{Certificates: dev(nil), TransparencyLog: log("")}, Untrusted, ""},
		{"an identity as an expression", "keyless", rooted(Spec{Certificates: dev(func(s *CertificateSpec) { s.Identity, s.IdentityRegExp = "", `.*@corp\.example` }), TransparencyLog: log("")}), Verified, ""},
		{"a part of an identity", "keyless", rooted(Spec{Certificates: dev(func(s *CertificateSpec) { s.Identity, s.IdentityRegExp = "", `ev@corp` }), TransparencyLog: log("")}), Untrusted, IdentityMismatch},
		{"another issuer", "keyless", rooted(Spec{Certificates: dev(func(s *CertificateSpec) { s.OIDCIssuer += "/x" }), TransparencyLog: log("")}), Untrusted, IssuerMismatch},
		{"another certificate log", "keyless", rooted(Spec{Certificates: dev(func(s *CertificateSpec) {
			s.CertificateTransparency = &CertificateTransparencySpec{PublicKey: file("wrong.pub")}
		}), TransparencyLog: log("")}), Untrusted, ""},
		{"an identity by its timestamp", "keyless-tsa", rooted(Spec{Certificates: dev(nil), TimestampAuthority: stamps("")}), Verified, ""},
		{"an identity by the timestamp of an own chain", "keyless-tsa", rooted(Spec{Certificates: dev(nil), TimestampAuthority: stamps(file("tsa-chain.pem"))}), Verified, ""},
		{"an own chain", "own-ca", builder(file("own-chain.pem"), ""), Verified, ""},
		{"an own root with its intermediate", "own-ca", builder(file("own-root.pem"), file("own-intermediate.pem")), Verified, ""},
		{"an own chain with the leaf pinned", "own-ca", builder(file("own-chain.pem"), file("own-leaf.pem")), Verified, ""},
		{"another root", "own-ca", builder(file("wrong-root.pem"), ""), Untrusted, ChainInvalid},
		{"a bundle's identity", "b-keyless", rooted(Spec{Certificates: dev(nil), TransparencyLog: log(""), TimestampAuthority: stamps("")}), Verified, ""},
		{"a bundle's identity in the second log", "b2-keyless", rooted(Spec{Certificates: dev(nil), TransparencyLog: log("")}), Verified, ""},
		{"the second log's key given as one of the first", "b2-key", Spec{PublicKeys: k1, TransparencyLog: log(file("rekor2.pub"))}, Untrusted, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := LoadIntegration("a", c.spec, LoadOptions{Files: func(name string) ([]byte, error) {
				if name != "trusted_root.json" {
					return nil, errors.New("not there")
				}
				return []byte(file(name)), nil
			}})
			for _, f := range oci.FieldErrors(err) {
				if !f.Warning {
					t.Fatal(f)
				}
			}
			got := Judge(recording(t, c.recording), in, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
			if got.Status != c.status || c.reason != "" && got.Reason != c.reason {
				t.Errorf("got %v %s (%s), want %v %s", got.Status, got.Reason, got.Message, c.status, c.reason)
			}
		})
	}
}

// TestDocumentsAboutCopies: an image that was copied is signed under its old name.
func TestDocumentsAboutCopies(t *testing.T) {
	copied := recording(t, "key-nolog")
	copied.Repository = oci.Repository{Registry: "registry.acme.com", Path: "mirror/key-nolog"}
	for _, c := range []struct {
		name, mode string
		aliases    []AliasSpec
		status     Status
	}{
		{"any name", "Any", nil, Verified},
		{"its own name", "Repository", nil, Untrusted},
		{"its own name if it has one", "RepositoryIfNamed", nil, Untrusted},
		{"the alias of the folder", "Repository", []AliasSpec{{"127.0.0.1:15000/**", "registry.acme.com/mirror/**"}}, Verified},
		{"the alias of the repository", "RepositoryIfNamed", []AliasSpec{{"127.0.0.1:15000/key-nolog", "registry.acme.com/mirror/key-nolog"}}, Verified},
		{"the alias of another folder", "Repository", []AliasSpec{{"127.0.0.1:15000/**", "registry.acme.com/other/**"}}, Untrusted},
		{"the alias turned round", "Repository", []AliasSpec{{"registry.acme.com/mirror/**", "127.0.0.1:15000/**"}}, Untrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := NewIntegration("a", Spec{
				PublicKeys: []PublicKeySpec{{Name: "k1", Key: trustText(t, "k1.pub")}}, SignedName: c.mode, SignedNameAliases: c.aliases,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := Judge(copied, in, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
			if got.Status != c.status || c.status == Untrusted && got.Reason != NameMismatch {
				t.Errorf("got %v %s (%s), want %v", got.Status, got.Reason, got.Message, c.status)
			}
		})
	}
}
