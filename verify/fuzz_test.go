package verify_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// FuzzSimpleSigning gives any payload and annotations to Judge. It must not
// panic, and only what the key has made may be Verified: the recorded layer, or
// the same with other things around it.
func FuzzSimpleSigning(f *testing.F) {
	digest := someImage("a")
	s := fixedSigner(f)
	in := s.integration(f, "k")
	good := s.layer(f, digest)
	f.Add(good.payload, good.annotations[signatureAnnotation], "", "")
	f.Add(replace(good.payload, `"x"`, `"y"`), good.annotations[signatureAnnotation], "", "")
	for _, annotations := range panicInputs() {
		f.Add([]byte("{}"), annotations[signatureAnnotation], annotations[bundleAnnotation], annotations[certificateAnnotation])
	}
	f.Fuzz(func(t *testing.T, payload []byte, signature, bundle, certificate string) {
		item := layer{payload: payload, annotations: map[string]string{
			signatureAnnotation: signature, bundleAnnotation: bundle, certificateAnnotation: certificate,
		}}.item()
		got := verify.Judge(evidenceOf(digest, item), in, time.Unix(1, 0))
		if made := bytes.Equal(payload, good.payload); got.Status == verify.Verified && !made {
			t.Errorf("Verified, though the key never signed %q", payload)
		}
		if got.Status != verify.Verified && got.Status != verify.Untrusted || got.Message == "" {
			t.Errorf("got %v %q", got.Status, got.Message)
		}
	})
}

// FuzzBundle gives any bytes to Judge as a bundle. Verified needs the very
// statement that the key signed.
func FuzzBundle(f *testing.F) {
	digest := someImage("a")
	s := fixedSigner(f)
	in := s.integration(f, "k")
	payload := statement(digest, signPredicate)
	f.Add(s.envelope(f, payload))
	f.Add(s.bundle(f, someImage("b")))
	f.Add(s.envelope(f, statement(digest, "https://slsa.dev/provenance/v1")))
	f.Add(s.message(f, []byte("image a")))
	blobs, err := filepath.Glob(filepath.Join(fixtures, "layout", "blobs", "sha256", "*"))
	check(f, err)
	for _, path := range blobs {
		if body, err := os.ReadFile(path); err == nil && bytes.Contains(body, []byte("verificationMaterial")) {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := verify.Judge(evidenceOf(digest, bundleItem(data)), in, time.Unix(1, 0))
		if got.Message == "" {
			t.Errorf("got %v without a message", got.Status)
		}
		if got.Status != verify.Verified {
			return
		}
		var bundle struct {
			Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
			Message  struct {
				Digest struct{ Digest []byte } `json:"messageDigest"`
			} `json:"messageSignature"`
		}
		if err := json.Unmarshal(data, &bundle); err != nil {
			return // the JSON of protocol buffers has spellings that this one lacks
		}
		if said := bundle.Envelope.Payload; len(said) > 0 && !bytes.Equal(said, payload) {
			t.Errorf("Verified, though the key never signed %q", said)
		}
		if said := bundle.Message.Digest.Digest; len(said) > 0 && hex.EncodeToString(said) != digest.Hex() {
			t.Errorf("Verified, though the key never signed %x", said)
		}
	})
}

// FuzzPublicKey gives any text as a key: never a panic, never an echo of it.
func FuzzPublicKey(f *testing.F) {
	s := fixedSigner(f)
	f.Add(s.pem(f))
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
	f.Add("c2VjcmV0")
	f.Fuzz(func(t *testing.T, text string) {
		in, err := verify.NewIntegration("x", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "k", Key: text}}})
		if (in == nil) != (err != nil) {
			t.Errorf("got %v and %v", in, err)
		}
		for _, field := range oci.FieldErrors(err) {
			if field.Path != "spec.publicKeys[0].key" {
				t.Errorf("got path %q", field.Path)
			}
		}
	})
}
