package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"

	"vouchsafe/oci"
)

// statementV01 is the type of the in-toto statements that came before version 1;
// bundles of version 0.1 hold such.
const statementV01 = "https://in-toto.io/Statement/v0.1"

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

// JudgeBundle says what in makes of a Sigstore bundle, versions 0.1 to 0.3, for a
// file of which the digests are given, at now: one of each algorithm that the
// bundle could name, all of the same bytes. Unlike a signature of an image, a
// statement of any predicate counts, whose subjects name the file. It is pure, and
// checks what [Judge] checks by the same functions; signedName is left out, since
// bundles hold no name. A bundle of more than [MaxSignatureBytes] is OVER_LIMIT.
func JudgeBundle(data []byte, digests []oci.Digest, in *Integration, now time.Time) Artifact {
	one, best, ok := readArtifact(data)
	if ok {
		best = judgeArtifacts(one, digests, &in.trust, now)
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

// judgeArtifacts is the nearest of what the digests of one file come to.
func judgeArtifacts(one *signed, digests []oci.Digest, trusted *trust, now time.Time) finding {
	if len(digests) == 0 {
		return finding{status: Untrusted, reason: DigestMismatch, message: "no digest to compare with"}
	}
	var found []finding
	for _, digest := range digests {
		found = append(found, judgeArtifactSafely(one, question{digest: digest, now: now}, trusted))
	}
	best := nearestFinding(found)
	if best.reason == KeyMismatch && one.bareEd25519(trusted) {
		return finding{
			status: Untrusted, reason: Unsupported,
			message: "an Ed25519 signature over the whole file, which is not supported: sign its digest (Ed25519ph), or a statement",
		}
	}
	return best
}

// readArtifact is parseBundle for a file, on a goroutine that survives a panic.
func readArtifact(data []byte) (one *signed, bad finding, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			one, bad, ok = nil, panicked(), false
		}
	}()
	if bad, ok := scanBundle(data); !ok {
		return nil, bad, false
	}
	content := new(protobundle.Bundle)
	if err := protojson.Unmarshal(data, content); err != nil {
		return nil, malformed("not a Sigstore bundle"), false
	}
	envelope := content.GetDsseEnvelope()
	if envelope == nil || content.GetMessageSignature() != nil {
		return parseBundle(data)
	}
	if envelope.GetPayloadType() != intotoPayload {
		return nil, finding{status: Untrusted, reason: Unsupported, message: fmt.Sprintf("the envelope holds %.60q, not an in-toto statement", envelope.GetPayloadType())}, false
	}
	if n := len(envelope.GetSignatures()); n != 1 {
		return nil, malformed("the envelope has %d signatures, wanted one", n), false
	}
	if scanShape(envelope.GetPayload()) != nil {
		return nil, malformed("the statement is not JSON that is read"), false
	}
	one = &signed{covers: coversStatement}
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

// artifactRoad is everyRoad for a file.
var artifactRoad = []check{checkArtifact, checkLog, checkTimestamp}

// judgeArtifactSafely is judgeSafely along artifactRoad.
func judgeArtifactSafely(one *signed, asked question, trusted *trust) (found finding) {
	defer func() {
		if v := recover(); v != nil {
			found = panicked()
		}
	}()
	switch {
	case one.certified && len(trusted.certificates) > 0:
		return nearestFinding(judgeCertifiedArtifact(one, asked, trusted))
	case one.certified:
		return byCertificate()
	case len(trusted.keys) == 0:
		return byBareKey()
	}
	all := []finding{byOtherKey()}
	for _, key := range trusted.keys {
		if key.signs(one, asked.digest) {
			a := newAttempt(one, asked, trusted, keySigner(key))
			all = append(all, a.finding(a.walk(artifactRoad, keyRoad)))
		}
	}
	return nearestFinding(all)
}

// judgeCertifiedArtifact is judgeCertified along artifactRoad.
func judgeCertifiedArtifact(one *signed, asked question, trusted *trust) []finding {
	leaf, err := recall(one, leafKey{}, one.leaf)
	if err != nil {
		return []finding{malformed("%s", clean(err.Error()))}
	}
	by, err := recall(one, signerKey{}, func() (signer, error) { return leafSigner(one, leaf) })
	a := newAttempt(one, asked, trusted, by)
	if err != nil {
		return []finding{a.finding(missed(KeyMismatch, "%s", err))}
	}
	if stop := a.walk(artifactRoad); stop != nil {
		return []finding{a.finding(stop)}
	}
	var found []finding
	for _, rule := range trusted.certificates {
		under := *a
		under.rule = rule
		under.certificate = describeCertificate(leaf)
		found = append(found, under.finding(under.walk(certificateRoad)))
	}
	return found
}

// checkArtifact holds what the signature says that it is for against the file.
func checkArtifact(a *attempt) *miss {
	if a.signed.covers != coversStatement {
		if a.signed.says != a.digest.String() {
			return missed(DigestMismatch, "%s, but for another file%s", a.by(), shortDigest(a.signed.says))
		}
		return nil
	}
	statement, err := a.signed.content.EnvelopeContent().Statement()
	if err != nil {
		return missed(Malformed, "%s, but the statement cannot be read", a.by())
	}
	if kind := statement.GetType(); kind != statementV1 && kind != statementV01 {
		return missed(Unsupported, "%s, but it is no in-toto statement that is read (%.60q)", a.by(), kind)
	}
	subjects := statement.GetSubject()
	if len(subjects) > maxSubjects {
		return missed(OverLimit, "%s, but the statement has more than %d subjects", a.by(), maxSubjects)
	}
	for _, subject := range subjects {
		if len(subject.GetDigest()) > maxSubjectDigests {
			return missed(OverLimit, "%s, but a subject has more than %d digests", a.by(), maxSubjectDigests)
		}
		sum, err := hex.DecodeString(subject.GetDigest()[a.digest.Algorithm()])
		if err == nil && bytes.Equal(sum, sumOf(a.digest)) {
			return nil
		}
	}
	return missed(DigestMismatch, "%s, but the statement is about another file", a.by())
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

// bareEd25519 reports whether the signature may be one of plain Ed25519, which is
// over a file's bytes and never over its digest.
func (s *signed) bareEd25519(trusted *trust) bool {
	if s.covers != coversDigest {
		return false
	}
	if s.certified {
		leaf, err := recall(s, leafKey{}, s.leaf)
		if err != nil {
			return false
		}
		_, plain := leaf.PublicKey.(ed25519.PublicKey)
		return plain
	}
	for _, key := range trusted.keys {
		if _, plain := key.public.(ed25519.PublicKey); plain {
			return true
		}
	}
	return false
}
