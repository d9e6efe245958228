package verify

import (
	"bytes"
	"encoding/hex"
)

// checkArtifact holds what the signature says that it is for against the file.
func checkArtifact(a *attempt) *miss {
	switch a.signed.covers {
	case coversStatement:
		return a.checkArtifactSubjects()
	case coversFile:
		// It says nothing: it verified over the bytes that the digest is of.
		return nil
	case coversDigest, coversPayload:
	}
	if a.signed.says != a.digest.String() {
		return missed(DigestMismatch, "%s, but for another file%s", a.by(), shortDigest(a.signed.says))
	}
	return nil
}

// checkArtifactSubjects looks for the file among those that the statement is about.
func (a *attempt) checkArtifactSubjects() *miss {
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
