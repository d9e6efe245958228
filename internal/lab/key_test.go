package lab_test

import (
	"crypto"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"vouchsafe/internal/lab"
	"vouchsafe/oci"
)

func newKey(t *testing.T) *lab.Key {
	t.Helper()
	key, err := lab.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func verifierOf(t *testing.T, key *lab.Key) signature.Verifier {
	t.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(key.PublicPEM()))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// cosignVerify asks cosign itself how many signatures under the .sig tag of
// image are good.
func cosignVerify(t *testing.T, key *lab.Key, image oci.Reference) (int, error) {
	t.Helper()
	ref, err := name.NewDigest(image.Repository.String() + "@" + image.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	good, _, err := cosign.VerifyImageSignatures(t.Context(), ref, &cosign.CheckOpts{
		SigVerifier: verifierOf(t, key), IgnoreTlog: true, Offline: true, ClaimVerifier: cosign.SimpleClaimVerifier,
	})
	return len(good), err
}

func TestSignTagIsVerifiedByCosign(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	first, second, stranger := newKey(t), newKey(t), newKey(t)
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*lab.Key{first, second, first} {
		if err := key.SignTag(r, image); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := cosignVerify(t, first, image); got != 2 || err != nil {
		t.Errorf("got %d good signatures of the first key, %v; want 2", got, err)
	}
	if got, err := cosignVerify(t, second, image); got != 1 || err != nil {
		t.Errorf("got %d good signatures of the second key, %v; want 1", got, err)
	}
	if got, err := cosignVerify(t, stranger, image); err == nil {
		t.Errorf("got %d good signatures of a stranger, want an error", got)
	}
}

func TestSignTagNeedsADigest(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	image, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := newKey(t).SignTag(r, image.WithDigest(oci.Digest{})); err == nil {
		t.Error("got no error for a reference without digest")
	}
}

func TestCopySignatureIsTrueAndOfOtherContent(t *testing.T) {
	r := newRegistry(t, lab.RegistryConfig{})
	key := newKey(t)
	signed, err := r.PushImage("acme/api", "1", "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := r.PushImage("acme/other", "1", "b")
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.CopySignature(r, signed, other); err == nil {
		t.Error("got no error where there is no signature")
	}
	if err := key.SignTag(r, signed); err != nil {
		t.Fatal(err)
	}
	if err := lab.CopySignature(r, signed, other); err != nil {
		t.Fatal(err)
	}
	if _, err := cosignVerify(t, key, other); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("got error %v, want one about the digest", err)
	}
}
