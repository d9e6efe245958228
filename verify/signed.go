package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"

	"vouchsafe/oci"
)

const (
	// maxCertificateBytes bounds one certificate; those of Fulcio have about 1.5
	// KiB, and what an RSA key of the greatest size adds is 2 KiB.
	maxCertificateBytes = 32 << 10
	// maxHints bounds the certificates that come beside a signature's own. Each
	// more of one name and key multiplies the paths that have to be tried.
	maxHints = 4
	// maxEntryBytes bounds one log entry in an annotation.
	maxEntryBytes = 256 << 10
	// maxTokenBytes bounds one timestamp. The largest with certificates and RSA
	// signatures have 8 KiB; each signer inside costs a verification.
	maxTokenBytes = 32 << 10
	// maxCheckpointBytes bounds a signed tree head: each line below it that copies
	// the signature costs a verification, and the text is kept with a result.
	maxCheckpointBytes = 16 << 10
	// maxProofHashes is the height of the largest tree.
	maxProofHashes = 64
)

// covers is what a signature is over. The zero value is nothing.
type covers uint8

const (
	// coversPayload is a simple-signing payload.
	coversPayload covers = iota + 1
	// coversStatement is a DSSE envelope around an in-toto statement.
	coversStatement
	// coversDigest is an artifact of which the digest alone is known.
	coversDigest
	// coversFile is a file of which the signature does not name a digest; never of
	// an image.
	coversFile
)

// signed is one signature from either format, parsed and not verified: all of it
// is the word of whoever could push. It is used by one goroutine.
type signed struct {
	covers covers
	// payload is the simple-signing JSON of coversPayload.
	payload []byte
	// encoded is the signature in base64 as cosign wrote it, of coversPayload.
	encoded   string
	signature []byte
	// file is the file's bytes, for plain Ed25519; nil when they are not at hand.
	file *[]byte
	// content is the signature as sigstore-go takes it.
	content sgverify.SignatureContent
	// says is the digest that a payload or a digest-only signature claims to be
	// over; a statement's subjects are read after its signature verified.
	says string
	// name is the docker-reference of a payload; a bundle has none.
	name string
	// certified is true when a certificate came along; leaf parses it.
	certified bool
	leaf      func() (*x509.Certificate, error)
	// hints are certificates that may link the leaf to a root.
	hints func() []*x509.Certificate
	// entries and tokens are read only when somebody wants what they prove.
	entries func() ([]*protorekor.TransparencyLogEntry, error)
	tokens  func() ([][]byte, error)
	// answer is what a log answered about this signature; nil when none was asked.
	answer *logAnswer
	// mustProve and mustPromise are what a bundle's version demands of an entry:
	// an inclusion proof from 0.2 on, before it a signed entry timestamp.
	mustProve, mustPromise bool
	// known are outcomes that depend on the signature and on the key of the map
	// alone, for the next integration that asks.
	known map[any]any
}

// outcome is what a function of the signature has answered.
type outcome[T any] struct {
	value T
	err   error
}

// recall returns what find answers under key, asked once. A panic of find is its
// error: it costs what was read, and not the signature that it was attached to.
func recall[T any](s *signed, key any, find func() (T, error)) (T, error) {
	if known, ok := s.known[key].(outcome[T]); ok {
		return known.value, known.err
	}
	var found outcome[T]
	found.value, found.err = guard(find)
	if s.known == nil {
		s.known = map[any]any{}
	}
	s.known[key] = found
	return found.value, found.err
}

// parse reads item without verifying anything. The finding is for what cannot
// be a signature of this image.
func parse(item Item) (*signed, finding, bool) {
	switch item.Format {
	case FormatSimpleSigning:
		return parseSimpleSigning(item)
	case FormatBundle:
		return parseBundle(item.Payload)
	}
	return nil, malformed("an unknown format"), false
}

// messageOf is a payload as sigstore-go compares it with a log entry.
func messageOf(payload, signature []byte) *bundle.MessageSignature {
	sum := sha256.Sum256(payload)
	return bundle.NewMessageSignature(sum[:], "sha256", signature)
}

var (
	errNoCertificate  = errors.New("no certificate")
	errBigCertificate = errors.New("the certificate is larger than any that is read")
)

// parseLeaf parses the certificate that should have signed. A key of a kind or
// size that is not accepted as a public key is not accepted in one either.
func parseLeaf(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificateBytes {
		return nil, errBigCertificate
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("the certificate cannot be parsed")
	}
	if problem := checkStrength(leaf.PublicKey); problem != nil {
		return nil, errors.New("the certificate's key: " + problem.Message)
	}
	return leaf, nil
}

// parseHints parses what may be intermediates; what is none is left out, roots
// too, since nothing depends on a hint but a path to a root that is trusted
// anyway.
func parseHints(all [][]byte) []*x509.Certificate {
	var hints []*x509.Certificate
	for _, der := range all[:min(len(all), maxHints)] {
		if len(der) > maxCertificateBytes {
			continue
		}
		one, err := x509.ParseCertificate(der)
		if err != nil || !one.IsCA || bytes.Equal(one.RawSubject, one.RawIssuer) || checkStrength(one.PublicKey) != nil {
			continue
		}
		hints = append(hints, one)
	}
	return hints
}

// shortDigest returns says for a message, when it is a digest at all.
func shortDigest(says string) string {
	digest, err := oci.ParseDigest(says)
	if err != nil {
		return ""
	}
	return " (" + digest.Short() + ")"
}
