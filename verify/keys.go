package verify

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"vouchsafe/oci"
)

// trustedKey is one parsed public key with everything that judging needs. It is
// immutable once its integration is made.
type trustedKey struct {
	Key
	public crypto.PublicKey
	// window is when the key may have signed; the zero value is always.
	window    window
	verifiers []keyVerifier
}

// keyVerifier is one key under one hash.
type keyVerifier struct {
	signature signature.Verifier
	// options are for cosign, one payload at a time. What a signature carries
	// besides is judged by checks of our own.
	options *cosign.CheckOpts
}

// newTrustedKey tries SHA-256 first, which cosign signs with whatever the
// curve, then the hash that belongs to the curve.
func newTrustedKey(name string, public crypto.PublicKey) (*trustedKey, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode the key: %w", err)
	}
	sum := sha256.Sum256(der)
	verifiers, err := verifiersOf(public)
	if err != nil {
		return nil, err
	}
	key := &trustedKey{Key: Key{Name: name, Fingerprint: "SHA256:" + hex.EncodeToString(sum[:])}, public: public}
	for _, one := range verifiers {
		key.verifiers = append(key.verifiers, keyVerifier{signature: one, options: &cosign.CheckOpts{
			SigVerifier:   one,
			ClaimVerifier: cosign.SimpleClaimVerifier,
			IgnoreTlog:    true,
			IgnoreSCT:     true,
			Offline:       true,
		}})
	}
	return key, nil
}

// verifiersOf returns a verifier of public for each hash that tools sign with.
func verifiersOf(public crypto.PublicKey) ([]signature.Verifier, error) {
	var verifiers []signature.Verifier
	for _, hash := range hashesFor(public) {
		one, err := signature.LoadVerifier(public, hash)
		if err != nil {
			return nil, fmt.Errorf("load the key: %w", err)
		}
		verifiers = append(verifiers, one)
	}
	return verifiers, nil
}

func hashesFor(public crypto.PublicKey) []crypto.Hash {
	hashes := []crypto.Hash{crypto.SHA256}
	if ec, ok := public.(*ecdsa.PublicKey); ok {
		switch ec.Curve {
		case elliptic.P384():
			hashes = append(hashes, crypto.SHA384)
		case elliptic.P521():
			hashes = append(hashes, crypto.SHA512)
		}
	}
	return hashes
}

// signs reports whether one of the key's verifiers verifies s. A payload that
// claims digest goes to cosign, rebuilt from payload and signature alone.
func (k *trustedKey) signs(s *signed, digest oci.Digest) bool {
	if s.covers == coversPayload && s.says == digest.String() {
		return k.signsForCosign(s, digest)
	}
	for _, one := range k.verifiers {
		if s.verifies(one.signature, k.public) {
			return true
		}
	}
	return false
}

func (k *trustedKey) signsForCosign(s *signed, digest oci.Digest) bool {
	hash, err := v1.NewHash(digest.String())
	if err != nil {
		return false
	}
	sig, err := static.NewSignature(s.payload, s.encoded)
	if err != nil {
		return false
	}
	for _, one := range k.verifiers {
		if _, err := cosign.VerifyImageSignature(context.Background(), sig, hash, one.options); err == nil {
			return true
		}
	}
	return false
}

// verifies reports whether the signature is by verifier, of the key public, over
// what the signature covers. What that says of the image is not looked at.
func (s *signed) verifies(verifier signature.Verifier, public crypto.PublicKey) bool {
	trusted := &material{verifier: verifier}
	switch s.covers {
	case coversPayload:
		return verifier.VerifySignature(bytes.NewReader(s.signature), bytes.NewReader(s.payload)) == nil
	case coversStatement:
		return sgverify.VerifySignature(s.content, byKey{public}, trusted) == nil
	case coversDigest, coversFile:
		if edwards, is := public.(ed25519.PublicKey); is {
			return s.verifiesEdwards(edwards)
		}
		claimed, err := oci.ParseDigest(s.says)
		if err != nil {
			return false
		}
		digests := []sgverify.ArtifactDigest{{Algorithm: claimed.Algorithm(), Digest: sumOf(claimed)}}
		return sgverify.VerifySignatureWithArtifactDigests(s.content, byKey{public}, trusted, digests) == nil
	}
	return false
}

// sumOf is a digest's bytes.
func sumOf(digest oci.Digest) []byte {
	sum, err := hex.DecodeString(digest.Hex())
	if err != nil {
		// A parsed digest is hexadecimal.
		panic(err)
	}
	return sum
}
