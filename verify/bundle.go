package verify

import (
	"encoding/hex"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
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

// judgeBundle verifies one Sigstore bundle.
func judgeBundle(item Item, digest oci.Digest, in *Integration) finding {
	if bad, ok := scanBundle(item.Payload); !ok {
		return bad
	}
	content := new(protobundle.Bundle)
	if err := protojson.Unmarshal(item.Payload, content); err != nil {
		return malformed("not a Sigstore bundle")
	}
	if envelope := content.GetDsseEnvelope(); envelope != nil {
		if other, ok := scanStatement(envelope.GetPayloadType(), envelope.GetPayload()); !ok {
			return other
		}
		if n := len(envelope.GetSignatures()); n != 1 {
			return malformed("the envelope has %d signatures, wanted one", n)
		}
	}
	// Log entries and timestamps are not demanded, so not read: a mistake in
	// them must not hurt a good signature, nor may they feed a parser.
	if material := content.GetVerificationMaterial(); material != nil {
		material.TlogEntries = nil
		material.TimestampVerificationData = nil
	}
	entity, err := bundle.NewBundle(content)
	if err != nil {
		return malformed("not a Sigstore bundle that can be verified")
	}
	if content.GetVerificationMaterial().GetPublicKey() == nil {
		return byCertificate()
	}
	sum, err := hex.DecodeString(digest.Hex())
	if err != nil {
		return malformed("no digest to compare with")
	}
	if message := content.GetMessageSignature(); message != nil {
		return judgeMessage(entity, message.GetMessageDigest(), digest, sum, in)
	}
	return judgeEnvelope(entity, digest, sum, in)
}

// judgeEnvelope verifies a DSSE envelope over an in-toto statement.
func judgeEnvelope(entity *bundle.Bundle, digest oci.Digest, sum []byte, in *Integration) finding {
	exact := sgverify.NewPolicy(sgverify.WithArtifactDigest(digest.Algorithm(), sum), sgverify.WithKey())
	for _, key := range in.keys {
		for _, verifier := range key.verifiers {
			result, err := verifier.bundles.Verify(entity, exact)
			// What was scanned before is asked again of what was verified.
			if err == nil && result.Statement.GetPredicateType() == signPredicate && result.Statement.GetType() == statementV1 {
				return verified(key)
			}
		}
	}
	anything := sgverify.NewPolicy(sgverify.WithoutArtifactUnsafe(), sgverify.WithKey())
	for _, key := range in.keys {
		for _, verifier := range key.verifiers {
			if _, err := verifier.bundles.Verify(entity, anything); err == nil {
				return otherImage(key, "")
			}
		}
	}
	return byOtherKey()
}

// judgeMessage verifies a signature over the digest itself. The digest inside
// is a hint by whoever pushed: only the asked one can make it Verified.
func judgeMessage(entity *bundle.Bundle, hint *protocommon.HashOutput, digest oci.Digest, sum []byte, in *Integration) finding {
	algorithms := map[protocommon.HashAlgorithm]string{
		protocommon.HashAlgorithm_SHA2_256: "sha256", protocommon.HashAlgorithm_SHA2_512: "sha512",
	}
	claimed, err := oci.ParseDigest(algorithms[hint.GetAlgorithm()] + ":" + hex.EncodeToString(hint.GetDigest()))
	if err != nil {
		return malformed("the bundle's message digest is no sha256 or sha512")
	}
	policy := sgverify.NewPolicy(sgverify.WithArtifactDigest(claimed.Algorithm(), hint.GetDigest()), sgverify.WithKey())
	if claimed == digest {
		policy = sgverify.NewPolicy(sgverify.WithArtifactDigest(digest.Algorithm(), sum), sgverify.WithKey())
	}
	for _, key := range in.keys {
		for _, verifier := range key.verifiers {
			if _, err := verifier.bundles.Verify(entity, policy); err != nil {
				continue
			}
			if claimed != digest {
				return otherImage(key, claimed.String())
			}
			return verified(key)
		}
	}
	return byOtherKey()
}
