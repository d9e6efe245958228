package verify

import (
	"fmt"
	"slices"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	"vouchsafe/oci"
)

// statementV01 is the type of the in-toto statements that came before version 1;
// bundles of version 0.1 hold such.
const statementV01 = "https://in-toto.io/Statement/v0.1"

// MaxFileBytes is the most of a file that a signature is verified over which is of
// bytes and not of a digest.
const MaxFileBytes = 64 << 20

// File is what a bundle is held against.
type File struct {
	// Digests are one of each algorithm that a bundle could name, as far as they
	// are known, all of the same bytes.
	Digests []oci.Digest
	// Bytes are those of the file when Whole is true; they are not looked at
	// otherwise. Plain Ed25519 signs them and nothing else.
	Bytes []byte
	Whole bool
}

// Artifact is what [JudgeBundle] makes of one bundle for one file.
type Artifact struct {
	// Signature has neither Digest nor Source: a bundle in a file has none. Its
	// Status is Verified or Untrusted.
	Signature
	// PredicateType is what a verified statement says about the file; empty for a
	// bare signature, and while Status is not Verified. That a statement is
	// Verified says who made it, not that what it says is good news.
	PredicateType string
}

// JudgeBundle says what in makes of a Sigstore bundle, versions 0.1 to 0.3, for
// file, at now. Unlike a signature of an image, a statement of any predicate
// counts, whose subjects name the file. It is pure, and checks what [Judge] checks
// by the same functions; signedName is left out, since bundles hold no name. A
// bundle of more than [MaxSignatureBytes] is OVER_LIMIT.
func JudgeBundle(data []byte, file File, in *Integration, now time.Time) Artifact {
	one, best, ok := readArtifact(data)
	if ok {
		best = judgeArtifact(one, file, &in.trust, now)
	}
	out := Artifact{Signature: best.signature(Item{Format: FormatBundle})}
	switch out.Status {
	case Verified:
		out.PredicateType = one.predicate()
	case Untrusted:
	default:
		// A bundle that somebody hands over is no registry that could be asked
		// again, and no attestation that could be passed over.
		out.Status = Untrusted
	}
	if out.Reason == KeyMismatch {
		out.Message = fmt.Sprintf("%s; wanted %s", out.Message, in.Wants())
	}
	return out
}

// judgeArtifact is the nearest of what the digests of one file come to.
func judgeArtifact(one *signed, file File, trusted *trust, now time.Time) finding {
	if len(file.Digests) == 0 {
		return finding{status: Untrusted, reason: DigestMismatch, message: "no digest to compare with"}
	}
	// Bytes of another file would bind a signature to what its digest is not of.
	foreign := func(digest oci.Digest) bool { return !digest.Matches(file.Bytes) }
	if file.Whole = file.Whole && !slices.ContainsFunc(file.Digests, foreign); file.Whole {
		one.file = &file.Bytes
	}
	var found []finding
	for _, digest := range file.Digests {
		found = append(found, judgeSafely(one, question{digest: digest, now: now, file: true}, trusted))
	}
	best := nearestFinding(found)
	switch {
	case best.reason == KeyMismatch && !file.Whole && one.mayBeEdwards(trusted):
		best = finding{message: fmt.Sprintf(
			"perhaps an Ed25519 signature of the file's bytes, or Ed25519ph of its sha512: name the file (of at most %d MiB), its digest is not enough", MaxFileBytes>>20)}
	case best.reason == DigestMismatch && one.covers == coversDigest && !one.comparable(file.Digests):
		best.message = fmt.Sprintf("a signature of the file's %s, which is not known here: name the file, or that digest", one.saysAlgorithm())
	default:
		return best
	}
	best.status, best.reason = Untrusted, Unsupported
	return best
}

// saysAlgorithm is that of the digest that the signature is of.
func (s *signed) saysAlgorithm() string {
	digest, err := oci.ParseDigest(s.says)
	if err != nil {
		return ""
	}
	return digest.Algorithm()
}

// comparable reports whether one of digests is of the algorithm that the signature
// is of.
func (s *signed) comparable(digests []oci.Digest) bool {
	return slices.ContainsFunc(digests, func(d oci.Digest) bool { return d.Algorithm() == s.saysAlgorithm() })
}

// readArtifact is readBundle for a file, on a goroutine that survives a panic.
func readArtifact(data []byte) (one *signed, bad finding, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			one, bad, ok = nil, panicked(), false
		}
	}()
	return readBundle(data, (*signed).takeArtifact)
}

// takeArtifact is takeContent for a file: a statement may have any predicate, and
// a signature need not say of which digest it is.
func (s *signed) takeArtifact(content *protobundle.Bundle) (finding, bool) {
	envelope, message := content.GetDsseEnvelope(), content.GetMessageSignature()
	switch {
	case message != nil && len(message.GetMessageDigest().GetDigest()) == 0:
		// cosign 3 writes such for plain Ed25519, which is of no digest.
		s.covers = coversFile
		return finding{}, true
	case envelope == nil || message != nil:
		return s.takeContent(content)
	case envelope.GetPayloadType() != intotoPayload:
		return finding{status: Untrusted, reason: Unsupported, message: fmt.Sprintf("the envelope holds %.60q, not an in-toto statement", envelope.GetPayloadType())}, false
	case len(envelope.GetSignatures()) != 1:
		return malformed("the envelope has %d signatures, wanted one", len(envelope.GetSignatures())), false
	case scanShape(envelope.GetPayload()) != nil:
		return malformed("the statement is not JSON that is read"), false
	}
	s.covers = coversStatement
	return finding{}, true
}

// predicate is the predicate type of a verified statement.
func (s *signed) predicate() string {
	if s.covers != coversStatement {
		return ""
	}
	statement, err := s.content.EnvelopeContent().Statement()
	if err != nil {
		return ""
	}
	return clean(statement.GetPredicateType())
}
