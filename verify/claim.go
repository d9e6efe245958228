package verify

import (
	"bytes"
	"encoding/hex"
)

// Bounds on a statement's subjects, those of the Sigstore libraries.
const (
	maxSubjects       = 1024
	maxSubjectDigests = 32
)

// checkClaim holds what the signature says that it is for against what was asked
// for. It comes after the signature: what a stranger says is not worth a look.
func checkClaim(a *attempt) *miss {
	if a.signed.covers == coversStatement {
		return a.checkSubjects()
	}
	if a.signed.says != a.digest.String() {
		return missed(DigestMismatch, "%s, but for another image%s", a.by(), shortDigest(a.signed.says))
	}
	return nil
}

// checkSubjects asks the statement that was verified, parsed as a whole, for
// what its scan said before, and for the digest.
func (a *attempt) checkSubjects() *miss {
	statement, err := a.signed.content.EnvelopeContent().Statement()
	if err != nil {
		return missed(Malformed, "%s, but the statement cannot be read", a.by())
	}
	if statement.GetPredicateType() != signPredicate || statement.GetType() != statementV1 {
		return missed(Malformed, "%s, but two readings of the statement differ", a.by())
	}
	subjects := statement.GetSubject()
	if len(subjects) > maxSubjects {
		return missed(OverLimit, "%s, but the statement has more than %d subjects", a.by(), maxSubjects)
	}
	found := false
	for _, subject := range subjects {
		digests := subject.GetDigest()
		if len(digests) > maxSubjectDigests {
			return missed(OverLimit, "%s, but a subject has more than %d digests", a.by(), maxSubjectDigests)
		}
		for algorithm, text := range digests {
			sum, err := hex.DecodeString(text)
			if err != nil {
				// The Sigstore libraries take no such statement for any subject.
				return missed(Malformed, "%s, but the statement has a digest that is none", a.by())
			}
			found = found || algorithm == a.digest.Algorithm() && bytes.Equal(sum, sumOf(a.digest))
		}
	}
	if !found {
		return missed(DigestMismatch, "%s, but for another image", a.by())
	}
	return nil
}
