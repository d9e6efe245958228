package lab_test

import (
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	sigbundle "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

const (
	issuer   = "https://ci.example"
	workflow = "https://ci.example/release.yml@refs/heads/main"
)

func newSigstore(t *testing.T, name string) *lab.Sigstore {
	t.Helper()
	s, err := lab.NewSigstore(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func certify(t *testing.T, s *lab.Sigstore, identity string) *lab.Key {
	t.Helper()
	key, err := s.Certify(issuer, identity)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func trustedRoot(t *testing.T, s *lab.Sigstore) *root.TrustedRoot {
	t.Helper()
	text, err := s.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// verifyKeyless asks sigstore-go with everything demanded that an instance has.
func verifyKeyless(t *testing.T, trusted *root.TrustedRoot, image oci.Reference, identity, body string) error {
	t.Helper()
	var b sigbundle.Bundle
	if err := b.UnmarshalJSON([]byte(body)); err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.NewVerifier(trusted,
		verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := hex.DecodeString(image.Digest.Hex())
	if err != nil {
		t.Fatal(err)
	}
	who, err := verify.NewShortCertificateIdentity(issuer, "", identity, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", digest), verify.WithCertificateIdentity(who)))
	return err
}

// bundles returns the bundles that refer to image, in the order of their making.
func bundles(t *testing.T, r *lab.Registry, image oci.Reference) []string {
	t.Helper()
	var all []string
	for _, d := range referrers(t, r, image, true) {
		_, text := get(t, r, "/v2/acme/api/manifests/"+d.Digest.String(), "")
		manifest, err := oci.ParseManifest([]byte(text), "")
		if err != nil {
			t.Fatal(err)
		}
		_, body := get(t, r, "/v2/acme/api/blobs/"+manifest.Layers[0].Digest.String(), "")
		all = append(all, body)
	}
	return all
}

func TestKeylessBundlesAreVerifiedBySigstore(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{Referrers: true})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := r.PushImage("acme/api", "2", "b")
	if err != nil {
		t.Fatal(err)
	}
	ours, foreign := newSigstore(t, "ours"), newSigstore(t, "foreign")
	if err := certify(t, ours, workflow).SignBundle(r, image); err != nil {
		t.Fatal(err)
	}
	body := bundles(t, r, image)[0]
	trusted := trustedRoot(t, ours)
	if err := verifyKeyless(t, trusted, image, workflow, body); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name     string
		trusted  *root.TrustedRoot
		image    oci.Reference
		identity string
		part     string
	}{
		{"another identity is wanted", trusted, image, workflow + "2", "identity"},
		{"another instance is trusted", trustedRoot(t, foreign), image, workflow, ""},
		{"another image is shown", trusted, other, workflow, "digest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := verifyKeyless(t, c.trusted, c.image, c.identity, body); err == nil || !strings.Contains(err.Error(), c.part) {
				t.Errorf("got error %v, want one with %q", err, c.part)
			}
		})
	}
}

// TestEachPartOfAnInstanceIsDemanded: a certificate of another instance beside an
// entry of the right log, which is what the demo's forger has.
func TestEachPartOfAnInstanceIsDemanded(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{Referrers: true})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	ours, foreign := newSigstore(t, "ours"), newSigstore(t, "foreign")
	forged := certify(t, foreign, workflow).LoggedIn(ours.Log())
	if err := forged.SignBundle(r, image); err != nil {
		t.Fatal(err)
	}
	err = verifyKeyless(t, trustedRoot(t, ours), image, workflow, bundles(t, r, image)[0])
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got error %v, want one about the certificate", err)
	}
}

// TestEachEntryProvesItsPlace signs so often that trees of every shape up to nine
// leaves occur; what was proven before stays so.
func TestEachEntryProvesItsPlace(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{Referrers: true})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	ours := newSigstore(t, "ours")
	key := certify(t, ours, workflow)
	for range 9 {
		if err := key.SignBundle(r, image); err != nil {
			t.Fatal(err)
		}
	}
	all := bundles(t, r, image)
	if len(all) != 9 {
		t.Fatalf("got %d bundles, want 9", len(all))
	}
	for _, body := range all {
		if err := verifyKeyless(t, trustedRoot(t, ours), image, workflow, body); err != nil {
			t.Error(err)
		}
	}
}

func TestKeylessTagsAreVerifiedByCosign(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	ours, foreign := newSigstore(t, "ours"), newSigstore(t, "foreign")
	if err := certify(t, ours, workflow).SignTag(r, image); err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(image.Repository.String() + "@" + image.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		by       *lab.Sigstore
		identity string
		good     bool
	}{
		{"right in all", ours, workflow, true},
		{"another identity is wanted", ours, workflow + "2", false},
		{"another instance is trusted", foreign, workflow, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			good, bundled, err := cosign.VerifyImageSignatures(t.Context(), ref, &cosign.CheckOpts{
				TrustedMaterial: trustedRoot(t, c.by), Offline: true, ClaimVerifier: cosign.SimpleClaimVerifier,
				Identities: []cosign.Identity{{Issuer: issuer, Subject: c.identity}},
			})
			if (err == nil) != c.good {
				t.Fatalf("got error %v, want good %v", err, c.good)
			}
			if c.good && (len(good) != 1 || !bundled) {
				t.Errorf("got %d good signatures, from the attached entry %v; want 1 from it", len(good), bundled)
			}
		})
	}
}

// TestAnAuthoritysCertificatesAreVerifiedByCosign: no issuer, no log, no
// certificate timestamp.
func TestAnAuthoritysCertificatesAreVerifiedByCosign(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	own, err := lab.NewAuthority("own")
	if err != nil {
		t.Fatal(err)
	}
	other, err := lab.NewAuthority("other")
	if err != nil {
		t.Fatal(err)
	}
	key, err := own.Certify("builder@corp.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := key.SignTag(r, image); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		by   *lab.Authority
		good bool
	}{{"its own", own, true}, {"another", other, false}} {
		t.Run(c.name, func(t *testing.T) {
			if err := verifyCertified(t, c.by.ChainPEM(), image, "builder@corp.example"); (err == nil) != c.good {
				t.Errorf("got error %v, want good %v", err, c.good)
			}
		})
	}
	if err := verifyCertified(t, own.ChainPEM(), image, "intern@corp.example"); err == nil {
		t.Error("another person's name verifies")
	}
}

// verifyCertified asks cosign with a chain of PEM certificates.
func verifyCertified(t *testing.T, chain string, image oci.Reference, identity string) error {
	t.Helper()
	ref, err := name.NewDigest(image.Repository.String() + "@" + image.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	roots, intermediates := pools(t, chain)
	_, _, err = cosign.VerifyImageSignatures(t.Context(), ref, &cosign.CheckOpts{
		RootCerts: roots, IntermediateCerts: intermediates, IgnoreSCT: true, IgnoreTlog: true, Offline: true,
		ClaimVerifier: cosign.SimpleClaimVerifier, Identities: []cosign.Identity{{IssuerRegExp: ".*", Subject: identity}},
	})
	return err
}

func TestCertifyRefusesWhatIsNoName(t *testing.T) {
	const name = "https://ci.example/%zz"
	if _, err := newSigstore(t, "ours").Certify(issuer, name); err == nil {
		t.Error("got no error for a URL that is none")
	}
	own, err := lab.NewAuthority("own")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Certify(name); err == nil {
		t.Error("got no error of an own authority")
	}
}

// pools are the self-signed certificates of a chain, and the others.
func pools(t *testing.T, chain string) (roots, intermediates *x509.CertPool) {
	t.Helper()
	all, err := cryptoutils.UnmarshalCertificatesFromPEM([]byte(chain))
	if err != nil {
		t.Fatal(err)
	}
	roots, intermediates = x509.NewCertPool(), x509.NewCertPool()
	for _, one := range all {
		if one.CheckSignatureFrom(one) == nil {
			roots.AddCert(one)
		} else {
			intermediates.AddCert(one)
		}
	}
	return roots, intermediates
}
