package verify

import (
	"fmt"
	"time"

	"vouchsafe/oci"
)

// finding is what one integration makes of one item. The zero value is no
// status, so never Verified.
type finding struct {
	// status is Verified, Untrusted, Unavailable, or Unsigned for what is no
	// signature at all.
	status  Status
	reason  Reason
	message string
	key     *trustedKey
}

// Judge says what in makes of evidence at now. It is pure: no network, no
// clock, no environment, no state. A panic in a library is a Malformed
// signature.
func Judge(evidence Evidence, in *Integration, now time.Time) Result {
	signatures := make([]Signature, 0, len(evidence.Items))
	for _, item := range evidence.Items {
		found := judgeItem(item, evidence.Digest, in)
		one := Signature{
			Format: item.Format, Digest: item.Digest, Source: item.Source,
			Status: found.status, Reason: found.reason, Message: found.message,
		}
		if found.key != nil {
			one.Key = &found.key.Key
		}
		signatures = append(signatures, one)
	}
	result := combine(evidence, signatures, in)
	result.Integration = in.Name()
	result.Revision = in.Revision()
	result.Signatures = signatures
	result.JudgedAt = now
	result.CollectedAt = evidence.CollectedAt
	return result
}

// judgeItem judges on the calling goroutine, where a panic of a library that
// meets hostile input can be caught.
func judgeItem(item Item, digest oci.Digest, in *Integration) (found finding) {
	defer func() {
		if v := recover(); v != nil {
			found = malformed("the signature makes a parser fail")
		}
	}()
	if item.Problem != nil {
		status := Untrusted
		if item.Problem.Unavailable {
			status = Unavailable
		}
		return finding{status: status, reason: item.Problem.Reason, message: item.Problem.Message}
	}
	switch item.Format {
	case FormatSimpleSigning:
		return judgeSimpleSigning(item, digest, in)
	case FormatBundle:
		return judgeBundle(item, digest, in)
	}
	return malformed("an unknown format")
}

func verified(key *trustedKey) finding {
	return finding{status: Verified, message: "signed by " + key.Name, key: key}
}

func malformed(format string, args ...any) finding {
	return finding{status: Untrusted, reason: Malformed, message: fmt.Sprintf(format, args...)}
}

// otherImage is a good signature by key of something else. signed is what it
// says of itself; it may be empty.
func otherImage(key *trustedKey, signed string) finding {
	message := "signed by " + key.Name + ", but for another image"
	if digest, err := oci.ParseDigest(signed); err == nil {
		message += " (" + digest.Short() + ")"
	}
	return finding{status: Untrusted, reason: DigestMismatch, message: message, key: key}
}

func byOtherKey() finding {
	return finding{status: Untrusted, reason: KeyMismatch, message: "signed by another key"}
}

func byCertificate() finding {
	return finding{status: Untrusted, reason: KeyMismatch, message: "signed with a certificate; this integration has keys only"}
}
