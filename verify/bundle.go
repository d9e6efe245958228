package verify

import (
	"crypto/x509"
	"encoding/hex"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"

	"vouchsafe/oci"
)

const (
	// signPredicate is the predicate of a signature in an in-toto statement.
	// Any other is an attestation, however well it is signed.
	signPredicate = "https://sigstore.dev/cosign/sign/v1"
	statementV1   = "https://in-toto.io/Statement/v1"
	intotoPayload = "application/vnd.in-toto+json"
)

// parseBundle reads the bundle of an image.
func parseBundle(data []byte) (*signed, finding, bool) {
	return readBundle(data, (*signed).takeContent)
}

// readBundle reads one Sigstore bundle of the versions 0.1 to 0.3, of which take
// takes what is signed.
func readBundle(data []byte, take func(*signed, *protobundle.Bundle) (finding, bool)) (*signed, finding, bool) {
	if bad, ok := scanBundle(data); !ok {
		return nil, bad, false
	}
	content := new(protobundle.Bundle)
	if err := protojson.Unmarshal(data, content); err != nil {
		return nil, malformed("not a Sigstore bundle"), false
	}
	one := &signed{}
	if bad, ok := take(one, content); !ok {
		return nil, bad, false
	}
	one.takeProofs(content.GetVerificationMaterial())
	entity, err := bundle.NewBundle(content)
	if err != nil {
		return nil, malformed("not a Sigstore bundle that can be verified"), false
	}
	if one.content, err = entity.SignatureContent(); err != nil {
		return nil, malformed("a bundle without a signature"), false
	}
	one.signature = one.content.Signature()
	one.mustProve, one.mustPromise = entity.MinVersion("v0.2"), !entity.MinVersion("v0.2")
	one.takeCertificates(content.GetVerificationMaterial())
	return one, finding{}, true
}

// takeContent takes what is signed, once it is clear that it is a signature.
func (s *signed) takeContent(content *protobundle.Bundle) (finding, bool) {
	if message := content.GetMessageSignature(); message != nil {
		algorithms := map[protocommon.HashAlgorithm]string{
			protocommon.HashAlgorithm_SHA2_256: "sha256", protocommon.HashAlgorithm_SHA2_512: "sha512",
		}
		hint := message.GetMessageDigest()
		digest, err := oci.ParseDigest(algorithms[hint.GetAlgorithm()] + ":" + hex.EncodeToString(hint.GetDigest()))
		if err != nil {
			return malformed("the bundle's message digest is no sha256 or sha512"), false
		}
		s.covers, s.says = coversDigest, digest.String()
		return finding{}, true
	}
	envelope := content.GetDsseEnvelope()
	if envelope == nil {
		return malformed("not a Sigstore bundle that can be verified"), false
	}
	if other, ok := scanStatement(envelope.GetPayloadType(), envelope.GetPayload()); !ok {
		return other, false
	}
	if n := len(envelope.GetSignatures()); n != 1 {
		return malformed("the envelope has %d signatures, wanted one", n), false
	}
	s.covers = coversStatement
	return finding{}, true
}

// takeProofs takes log entries and timestamps out of the bundle, so that they
// feed no parser before somebody wants what they prove: a mistake in one must
// not hurt a signature of which nobody demands it.
func (s *signed) takeProofs(material *protobundle.VerificationMaterial) {
	entries := material.GetTlogEntries()
	stamps := material.GetTimestampVerificationData().GetRfc3161Timestamps()
	s.entries = func() ([]*protorekor.TransparencyLogEntry, error) { return entries, nil }
	s.tokens = func() ([][]byte, error) {
		var tokens [][]byte
		for _, stamp := range stamps {
			tokens = append(tokens, stamp.GetSignedTimestamp())
		}
		return tokens, nil
	}
	if material != nil {
		material.TlogEntries = nil
		material.TimestampVerificationData = nil
	}
}

// takeCertificates takes the leaf, and what follows it in a chain as hints.
func (s *signed) takeCertificates(material *protobundle.VerificationMaterial) {
	var all [][]byte
	if one := material.GetCertificate(); one != nil {
		all = append(all, one.GetRawBytes())
	}
	for _, one := range material.GetX509CertificateChain().GetCertificates() {
		all = append(all, one.GetRawBytes())
	}
	s.certified = material.GetPublicKey() == nil
	s.hints = func() []*x509.Certificate { return parseHints(all[min(1, len(all)):]) }
	s.leaf = func() (*x509.Certificate, error) {
		if len(all) == 0 {
			return nil, errNoCertificate
		}
		return parseLeaf(all[0])
	}
}
