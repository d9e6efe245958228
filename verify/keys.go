package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// trustedKey is one parsed public key with everything that judging needs. It is
// immutable after newTrustedKey.
type trustedKey struct {
	Key
	verifiers []keyVerifier
}

// keyVerifier is one key under one hash.
type keyVerifier struct {
	signature signature.Verifier
	// options are for cosign, one signature at a time. Log entries and
	// certificates that a signature carries are not demanded, so not looked at.
	options *cosign.CheckOpts
	// bundles verifies Sigstore bundles by this key alone.
	bundles *sgverify.Verifier
}

// newTrustedKey tries SHA-256 first, which cosign signs with whatever the
// curve, then the hash that belongs to the curve.
func newTrustedKey(name string, public crypto.PublicKey) (*trustedKey, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode the key: %w", err)
	}
	sum := sha256.Sum256(der)
	key := &trustedKey{Key: Key{Name: name, Fingerprint: "SHA256:" + hex.EncodeToString(sum[:])}}
	for _, hash := range hashesFor(public) {
		one, err := newKeyVerifier(public, hash)
		if err != nil {
			return nil, err
		}
		key.verifiers = append(key.verifiers, one)
	}
	return key, nil
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

func newKeyVerifier(public crypto.PublicKey, hash crypto.Hash) (keyVerifier, error) {
	one, err := signature.LoadVerifier(public, hash)
	if err != nil {
		return keyVerifier{}, fmt.Errorf("load the key: %w", err)
	}
	// A key in a bundle is named by a hint that whoever pushed it chose: it is
	// not looked at, there is one key here.
	expiring := root.NewExpiringKey(one, time.Time{}, time.Time{})
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return expiring, nil
	})
	bundles, err := sgverify.NewVerifier(material, sgverify.WithNoObserverTimestamps(), sgverify.WithoutStatementPredicate())
	if err != nil {
		return keyVerifier{}, fmt.Errorf("set up bundles: %w", err)
	}
	return keyVerifier{
		signature: one,
		bundles:   bundles,
		options: &cosign.CheckOpts{
			SigVerifier:   one,
			ClaimVerifier: cosign.SimpleClaimVerifier,
			IgnoreTlog:    true,
			IgnoreSCT:     true,
			Offline:       true,
		},
	}, nil
}
