package corpus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const (
	simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	emptyConfig   = "application/vnd.oci.empty.v1+json"
	payloadType   = "application/vnd.in-toto+json"
	signPredicate = "https://sigstore.dev/cosign/sign/v1"
)

// signer is the key that the gateway's policy wants.
type signer struct {
	key *ecdsa.PrivateKey
	// pem is the public key.
	pem string
}

func newSigner(tb testing.TB) *signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return &signer{key: key, pem: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// sign returns the signature of message in base64.
func (s *signer) sign(message []byte) string {
	sum := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err) // Only a broken source of randomness.
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// payload is cosign's signed text about a digest.
func payload(digest string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"corpus.test/any"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
}

// layerOf is the descriptor of a simple-signing layer with its signature.
func layerOf(mediaType string, body []byte, signature string) string {
	return object(
		"mediaType", quote(mediaType), "digest", quote(sha(body)), "size", strconv.Itoa(len(body)),
		"annotations", object("dev.cosignproject.cosign/signature", quote(signature)),
	)
}

// signatureTag is where the signatures of digest are looked for.
func signatureTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

// sigManifest is a signature image of these layers.
func sigManifest(layers ...string) string {
	return object("schemaVersion", "2", "mediaType", quote(ociManifest),
		"config", descriptor("application/vnd.oci.image.config.v1+json", "sig config"), "layers", array(layers...))
}

// signTag adds a good signature of digest in cosign's first format.
func (s *signer) signTag(r *repository, digest string) {
	text := payload(digest)
	r.blob(text)
	r.manifest(signatureTag(digest), document{[]byte(sigManifest(layerOf(simpleSigning, text, s.sign(text)))), ociManifest})
}

// statement is what a bundle says of digest.
func statement(digest, predicate string) []byte {
	_, digits, _ := strings.Cut(digest, ":")
	return []byte(object("_type", quote("https://in-toto.io/Statement/v1"),
		"subject", array(object("digest", object("sha256", quote(digits)))),
		"predicateType", quote(predicate), "predicate", "{}"))
}

// envelope is a DSSE envelope with a good signature of its payload.
func (s *signer) envelope(payload []byte) string {
	signed := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	return object("payload", quote(base64.StdEncoding.EncodeToString(payload)), "payloadType", quote(payloadType),
		"signatures", array(object("sig", quote(s.sign(signed)))))
}

// bundle is a Sigstore bundle of an envelope; more are further members.
func bundle(envelope string, more ...string) string {
	return object(append([]string{
		"mediaType", quote(bundleType),
		"verificationMaterial", object("publicKey", object("hint", quote("any"))),
		"dsseEnvelope", envelope,
	}, more...)...)
}

// bundleManifest is the manifest of a bundle about subject.
func bundleManifest(body []byte, subject string) string {
	return object("schemaVersion", "2", "mediaType", quote(ociManifest), "artifactType", quote(bundleType),
		"config", object("mediaType", quote(emptyConfig), "digest", quote(sha([]byte("{}"))), "size", "2"),
		"layers", array(object("mediaType", quote(bundleType), "digest", quote(sha(body)), "size", strconv.Itoa(len(body)))),
		"subject", object("mediaType", quote(ociManifest), "digest", quote(subject), "size", "2"))
}

// attach keeps a bundle with its manifest and returns its entry in a list of
// referrers.
func attach(r *repository, body []byte, subject string) string {
	r.blob(body)
	r.blob([]byte("{}"))
	manifest := []byte(bundleManifest(body, subject))
	digest := r.manifest("", document{manifest, ociManifest})
	return object("mediaType", quote(ociManifest), "artifactType", quote(bundleType), "digest", quote(digest), "size", strconv.Itoa(len(manifest)))
}

// listOf is an index of entries, as the referrers API answers.
func listOf(entries ...string) string {
	return object("schemaVersion", "2", "mediaType", quote(ociIndex), "manifests", array(entries...))
}
