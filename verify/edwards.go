package verify

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"

	"vouchsafe/oci"
)

// verifiesEdwards reports whether a signature of no statement is by public: plain
// Ed25519 over the file's own bytes, where these are at hand, or Ed25519ph over its
// SHA-512 (RFC 8032, section 5.1, which keeps one from being taken for the other).
//
// A digest alone never makes a plain signature good. Libraries that are given one
// compare with no bytes at all: a signature of an empty file would be one of every
// image.
func (s *signed) verifiesEdwards(public ed25519.PublicKey) bool {
	if s.file != nil && ed25519.Verify(public, *s.file, s.signature) {
		return true
	}
	claimed, err := oci.ParseDigest(s.says)
	return err == nil && claimed.Algorithm() == "sha512" && prehashed(public, sumOf(claimed), s.signature)
}

// prehashed reports whether signature is Ed25519ph by public over the SHA-512 sum.
func prehashed(public ed25519.PublicKey, sum, signature []byte) bool {
	return ed25519.VerifyWithOptions(public, sum, signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
}

// mayBeEdwards reports whether a signature of no statement could be by an Ed25519
// key of the trust, or of its own certificate.
func (s *signed) mayBeEdwards(trusted *trust) bool {
	if s.covers != coversDigest && s.covers != coversFile {
		return false
	}
	if s.certified {
		leaf, err := recall(s, leafKey{}, s.leaf)
		if err != nil {
			return false
		}
		_, is := leaf.PublicKey.(ed25519.PublicKey)
		return is
	}
	for _, key := range trusted.keys {
		if _, is := key.public.(ed25519.PublicKey); is {
			return true
		}
	}
	return false
}

// byOtherKey is a signature that no key verifies. cosign 2 and 3 sign images with
// an Ed25519 key as Ed25519ph, and neither of them verifies that again: nor is it
// taken here, but it is called what it is.
func byOtherKey(one *signed, trusted *trust) finding {
	var message []byte
	switch one.covers {
	case coversPayload:
		message = one.payload
	case coversStatement:
		payload, _ := payloadOf(one.content)
		message = preAuthentication(one.content, payload)
	case coversDigest, coversFile:
	}
	for _, key := range trusted.keys {
		public, is := key.public.(ed25519.PublicKey)
		if !is || message == nil {
			continue
		}
		if sum := sha512.Sum512(message); prehashed(public, sum[:], one.signature) {
			return finding{
				status: Untrusted, reason: Unsupported,
				message: "signed by " + key.Name + " with Ed25519ph, which is not taken over a payload or statement: cosign signs so with Ed25519 keys and does not verify it either; sign with an ECDSA key",
			}
		}
	}
	return finding{status: Untrusted, reason: KeyMismatch, message: "signed by another key"}
}
