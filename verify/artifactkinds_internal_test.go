package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
)

// messageBundle is a bundle of a signature of a file, by a key; an empty algorithm
// leaves out the digest, as cosign 3 does for plain Ed25519.
func messageBundle(t *testing.T, algorithm string, digest, signature []byte) []byte {
	t.Helper()
	message := map[string]any{"algorithm": algorithm, "digest": digest}
	if algorithm == "" {
		message = map[string]any{}
	}
	return must(json.Marshal(map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": ""}},
		"messageSignature":     map[string]any{"messageDigest": message, "signature": signature},
	}))(t)
}

// fileOf is a file with its bytes and digests of these algorithms.
func fileOf(t *testing.T, body string, whole bool, algorithms ...string) File {
	t.Helper()
	short, long := sha256.Sum256([]byte(body)), sha512.Sum512([]byte(body))
	sums := map[string][]byte{"sha256": short[:], "sha512": long[:]}
	file := File{Bytes: []byte(body), Whole: whole}
	for _, algorithm := range algorithms {
		file.Digests = append(file.Digests, must(oci.ParseDigest(algorithm+":"+hex.EncodeToString(sums[algorithm])))(t))
	}
	return file
}

func TestEachKindOfSignatureOfAFile(t *testing.T) {
	const body = "body"
	public, private := mustEdwards(t)
	stranger, _ := mustEdwards(t)
	short, long, empty := sha256.Sum256([]byte(body)), sha512.Sum512([]byte(body)), sha256.Sum256(nil)
	prehash := func(sum []byte) []byte {
		return must(private.Sign(nil, sum, &ed25519.Options{Hash: crypto.SHA512}))(t)
	}
	plain := messageBundle(t, "", nil, ed25519.Sign(private, []byte(body)))
	said := messageBundle(t, "SHA2_256", short[:], ed25519.Sign(private, []byte(body)))
	ph := messageBundle(t, "SHA2_512", long[:], prehash(long[:]))
	curve := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	for _, c := range []struct {
		name   string
		bundle []byte
		key    crypto.PublicKey
		file   File
		reason Reason // "" is Verified
		says   string
	}{
		{"plain, with the file", plain, public, fileOf(t, body, true, "sha256", "sha512"), "", "signed by k"},
		{"plain, with a file of another content", plain, public, fileOf(t, "Body", true, "sha256", "sha512"), KeyMismatch, "another key"},
		{"plain, with an empty file", plain, public, fileOf(t, "", true, "sha256", "sha512"), KeyMismatch, ""},
		{"plain, by another key", plain, stranger, fileOf(t, body, true, "sha256", "sha512"), KeyMismatch, ""},
		{"plain, by a key of another kind", plain, &curve.PublicKey, fileOf(t, body, true, "sha256", "sha512"), KeyMismatch, ""},
		{"plain, with a digest alone", plain, public, fileOf(t, body, false, "sha256"), Unsupported, "name the file"},
		{"plain, with a sha512 digest alone", plain, public, fileOf(t, body, false, "sha512"), Unsupported, "name the file"},
		{"plain, with the bytes of one file and the digest of another", plain, public, File{Digests: fileOf(t, "other", false, "sha256").Digests, Bytes: []byte(body), Whole: true}, Unsupported, "name the file"},
		{"plain that says its digest, with the file", said, public, fileOf(t, body, true, "sha256", "sha512"), "", ""},
		{"plain that says the digest of another file", messageBundle(t, "SHA2_256", empty[:], ed25519.Sign(private, []byte(body))), public, fileOf(t, body, true, "sha256", "sha512"), DigestMismatch, "another file"},
		{"plain over an empty file, for another of which the digest alone is known", messageBundle(t, "SHA2_256", short[:], ed25519.Sign(private, nil)), public, fileOf(t, body, false, "sha256"), Unsupported, ""},
		{"plain over an empty file, for another", messageBundle(t, "", nil, ed25519.Sign(private, nil)), public, fileOf(t, body, true, "sha256"), KeyMismatch, ""},
		{"plain over the digest's bytes", messageBundle(t, "SHA2_512", long[:], ed25519.Sign(private, long[:])), public, fileOf(t, body, true, "sha256", "sha512"), KeyMismatch, ""},

		{"prehashed, with the file", ph, public, fileOf(t, body, true, "sha256", "sha512"), "", "signed by k"},
		{"prehashed, with a file too large to be held", ph, public, fileOf(t, body, false, "sha256", "sha512"), "", ""},
		{"prehashed, with the sha512 digest", ph, public, fileOf(t, body, false, "sha512"), "", ""},
		{"prehashed, with the sha256 digest", ph, public, fileOf(t, body, false, "sha256"), Unsupported, "the file's sha512, which is not known here: name the file"},
		{"prehashed, with another file", ph, public, fileOf(t, "Body", true, "sha256", "sha512"), DigestMismatch, "another file"},
		{"prehashed, with another sha512 digest", ph, public, fileOf(t, "Body", false, "sha512"), DigestMismatch, "another file"},
		{"prehashed, by another key", ph, stranger, fileOf(t, body, true, "sha256", "sha512"), KeyMismatch, ""},
		{"prehashed, by another key, with a digest", ph, stranger, fileOf(t, body, false, "sha512"), Unsupported, ""},
		{"prehashed over a sha256 digest", messageBundle(t, "SHA2_256", short[:], prehash(append(short[:], short[:]...))), public, fileOf(t, body, true, "sha256", "sha512"), KeyMismatch, ""},
		{"no digest known", ph, public, File{Bytes: []byte(body), Whole: true}, DigestMismatch, "no digest"},
		{"a digest of no known algorithm", messageBundle(t, "SHA3_512", long[:], prehash(long[:])), public, fileOf(t, body, true, "sha256", "sha512"), Malformed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := integrationOf("x", trust{keys: []*trustedKey{must(newTrustedKey("k", c.key))(t)}})
			got := JudgeBundle(c.bundle, c.file, in, time.Now())
			if (got.Status == Verified) != (c.reason == "") || got.Reason != c.reason || !strings.Contains(got.Message, c.says) {
				t.Errorf("got %v %s: %s; want %q", got.Status, got.Reason, got.Message, c.reason)
			}
		})
	}
}

func mustEdwards(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

// TestABundleOfAnotherFile has good signatures and statements about one file, held
// against another.
func TestABundleOfAnotherFile(t *testing.T) {
	s := labSigner{key: labKey(t)}
	in := integrationOf("x", trust{keys: s.trusted(t, window{})})
	short := sha256.Sum256([]byte("body"))
	for name, bundle := range map[string][]byte{
		"signature": messageBundle(t, "SHA2_256", short[:], must(ecdsa.SignASN1(rand.Reader, s.key, short[:]))(t)),
		"statement": s.statementBundle(t, fmt.Appendf(nil, `{"_type":%q,"subject":[{"digest":{"sha256":"%x"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{}}`, statementV1, short)).Payload,
	} {
		t.Run(name, func(t *testing.T) {
			if got := JudgeBundle(bundle, fileOf(t, "body", true, "sha256", "sha512"), in, time.Now()); got.Status != Verified {
				t.Errorf("the file: got %v %s (%s)", got.Status, got.Reason, got.Message)
			}
			if got := JudgeBundle(bundle, fileOf(t, "other", true, "sha256", "sha512"), in, time.Now()); got.Status != Untrusted || got.Reason != DigestMismatch {
				t.Errorf("another file: got %v %s (%s)", got.Status, got.Reason, got.Message)
			}
		})
	}
}

// TestEd25519phOfAnImage: over the digest that an image is asked for by it counts;
// over a payload or statement, where no cosign verifies it, it is named.
func TestEd25519phOfAnImage(t *testing.T) {
	public, private := mustEdwards(t)
	in := integrationOf("x", trust{keys: []*trustedKey{must(newTrustedKey("k", public))(t)}})
	prehash := func(message []byte) []byte {
		sum := sha512.Sum512(message)
		return must(private.Sign(nil, sum[:], &ed25519.Options{Hash: crypto.SHA512}))(t)
	}
	image := []byte("manifest")
	long := sha512.Sum512(image)
	bySHA512 := must(oci.ParseDigest("sha512:" + hex.EncodeToString(long[:])))(t)
	bySHA256 := oci.SHA256(image)
	payload := labPayload(labDigest, "registry.test/app")
	statement := signStatement(labDigest)
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(intotoPayload), intotoPayload, len(statement), statement)
	envelope := must(json.Marshal(map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": ""}},
		"dsseEnvelope": map[string]any{
			"payload": statement, "payloadType": intotoPayload, "signatures": []any{map[string]any{"sig": prehash(pae)}},
		},
	}))(t)
	simple := Item{Format: FormatSimpleSigning, Payload: payload, Annotations: map[string]string{
		"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(prehash(payload)),
	}}
	message := messageBundle(t, "SHA2_512", long[:], prehash(image))
	for _, c := range []struct {
		name   string
		digest oci.Digest
		item   Item
		status Status
		reason Reason
	}{
		{"of the sha512 that it is asked for by", bySHA512, Item{Format: FormatBundle, Payload: message}, Verified, ""},
		{"of its sha512, asked for by sha256", bySHA256, Item{Format: FormatBundle, Payload: message}, Untrusted, DigestMismatch},
		{"of another image", must(oci.ParseDigest("sha512:" + strings.Repeat("0", 128)))(t), Item{Format: FormatBundle, Payload: message}, Untrusted, DigestMismatch},
		{"plain, without a digest", labDigest, Item{Format: FormatBundle, Payload: messageBundle(t, "", nil, ed25519.Sign(private, nil))}, Untrusted, Malformed},
		{"over a payload", labDigest, simple, Untrusted, Unsupported},
		{"over a statement", labDigest, Item{Format: FormatBundle, Payload: envelope}, Untrusted, Unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			evidence := labEvidence(c.item)
			evidence.Digest = c.digest
			got := Judge(evidence, in, time.Now())
			if got.Status != c.status || got.Reason != c.reason {
				t.Errorf("got %v %s (%s), want %v %s", got.Status, got.Reason, got.Message, c.status, c.reason)
			}
		})
	}
}
