package verify

import (
	"fmt"
	"slices"
	"time"

	"vouchsafe/oci"
)

// nearness orders the reasons of Untrusted from the nearest miss to the
// farthest, so that a person reads first what is easiest to put right: backwards
// along the road that a signature takes. A cap that was reached comes before all,
// since what was not read may be better than what was.
var nearness = []Reason{
	OverLimit, RegistryNotListed,
	SCTInvalid, SCTMissing, IdentityMismatch, IssuerMismatch, CertificateExpired, ChainInvalid, KeyExpired,
	TimestampInvalid, TimestampMissing, TlogInvalid, TlogMissing,
	NameMismatch, DigestMismatch, KeyMismatch, Unsupported, Malformed,
}

// urgency orders the reasons of Unavailable: what a person must put right
// before what passes.
var urgency = []Reason{FetchUnauthorized, TrustedRootUnavailable, TlogUnavailable, Timeout, FetchFailed}

// spoken are the reasons whose message says what was wanted by itself.
var spoken = map[Reason]bool{
	SCTInvalid: true, SCTMissing: true, IdentityMismatch: true, IssuerMismatch: true, CertificateExpired: true,
	KeyExpired: true, TimestampInvalid: true, TimestampMissing: true, TlogInvalid: true, TlogMissing: true,
	NameMismatch: true,
}

// combine makes one status of all signatures and places: Verified if one
// verifies; else Unavailable if a place or an item was not completed; else
// Untrusted if a signature exists or a cap was reached; else Unsigned. ends says
// until when each signature that verifies does.
func combine(evidence Evidence, signatures []Signature, ends []time.Time, in *Integration) Result {
	var open, failed []Problem
	if evidence.OverLimit {
		failed = append(failed, *overLimit("more than is read of one image: %d signatures, %d bytes each, %d together",
			MaxSignatures, MaxSignatureBytes, MaxEvidenceBytes))
	}
	if best := longest(signatures, ends); best >= 0 {
		return verifiedBy(signatures[best], ends[best])
	}
	for _, s := range signatures {
		switch s.Status {
		case Unsigned:
		case Unavailable:
			open = append(open, Problem{Reason: s.Reason, Message: s.Message, Unavailable: true})
		default:
			failed = append(failed, Problem{Reason: s.Reason, Message: s.Message})
		}
	}
	for _, p := range evidence.Problems {
		if p.Unavailable {
			open = append(open, p)
		} else {
			failed = append(failed, p)
		}
	}
	switch {
	case len(open) > 0:
		p := first(open, urgency)
		if p.Reason == TlogUnavailable || p.Reason == TrustedRootUnavailable {
			return Result{Status: Unavailable, Reason: p.Reason, Message: p.Message}
		}
		return Result{Status: Unavailable, Reason: p.Reason, Message: "signatures could not be read" + evidence.elsewhere() + ": " + p.Message}
	case len(failed) > 0:
		p := first(failed, nearness)
		result := Result{Status: Untrusted, Reason: p.Reason, Message: explain(p, len(failed), in)}
		result.Signer, result.Issuer = stranger(signatures, p.Reason)
		return result
	}
	return Result{Status: Unsigned, Message: fmt.Sprintf("no signature found in %s (asked: %s)", evidence.place(), asked(evidence.Digest))}
}

// stranger is who signed, where that is proven and is the miss: the authority
// vouches for the certificate, and it is of somebody else. Of all other misses
// nobody knows whether what the certificate says is true.
func stranger(signatures []Signature, reason Reason) (signer, issuer string) {
	if reason != IdentityMismatch && reason != IssuerMismatch {
		return "", ""
	}
	for _, s := range signatures {
		if s.Status == Untrusted && s.Reason == reason && s.Certificate != nil {
			return s.Certificate.Identity, s.Certificate.Issuer
		}
	}
	return "", ""
}

// place is the repository that was asked.
func (e Evidence) place() oci.Repository {
	if e.Signatures == (oci.Repository{}) {
		return e.Repository
	}
	return e.Signatures
}

// elsewhere names, for messages, a repository that is not the image's.
func (e Evidence) elsewhere() string {
	if e.place() == e.Repository {
		return ""
	}
	return " in " + e.place().String()
}

// longest is the verified signature that lasts longest, the first of equals; -1
// is none.
func longest(signatures []Signature, ends []time.Time) int {
	best := -1
	for i, s := range signatures {
		if s.Status == Verified && (best < 0 || outlasts(ends[i], ends[best])) {
			best = i
		}
	}
	return best
}

// outlasts reports whether end is after other; zero is never.
func outlasts(end, other time.Time) bool {
	return !other.IsZero() && (end.IsZero() || end.After(other))
}

// verifiedBy is the result that s makes, until end.
func verifiedBy(s Signature, end time.Time) Result {
	result := Result{Status: Verified, Message: s.Message, EndsAt: end}
	switch {
	case s.Key != nil:
		result.Signer = s.Key.Name
	case s.Certificate != nil:
		result.Signer, result.Issuer = s.Certificate.Identity, s.Certificate.Issuer
	}
	if s.RekorBundle != nil {
		index := s.RekorBundle.LogIndex
		result.LogIndex = &index
	}
	return result
}

func explain(p Problem, misses int, in *Integration) string {
	message := p.Message
	if misses > 1 {
		message = fmt.Sprintf("%s (the nearest of %d)", message, misses)
	}
	if spoken[p.Reason] {
		return message
	}
	return fmt.Sprintf("%s; wanted %s", message, in.Wants())
}

// nearestFinding is the verified finding that lasts longest, else one that could
// not be completed, else the one that came furthest.
func nearestFinding(all []finding) finding {
	return slices.MinFunc(all, func(a, b finding) int {
		switch good, other := a.status == Verified, b.status == Verified; {
		case good && other && outlasts(a.endsAt, b.endsAt), good && !other:
			return -1
		case good && other && outlasts(b.endsAt, a.endsAt), other && !good:
			return 1
		case good:
			return 0
		}
		if open := a.status == Unavailable; open != (b.status == Unavailable) {
			if open {
				return -1
			}
			return 1
		}
		if apart := rank(a.reason, nearness) - rank(b.reason, nearness); apart != 0 {
			return apart
		}
		return b.near - a.near
	})
}

// first returns the problem whose reason stands first in order.
func first(problems []Problem, order []Reason) Problem {
	return slices.MinFunc(problems, func(a, b Problem) int { return rank(a.Reason, order) - rank(b.Reason, order) })
}

// rank is a reason's place in order; one that is not in it comes last.
func rank(reason Reason, order []Reason) int {
	if at := slices.Index(order, reason); at >= 0 {
		return at
	}
	return len(order)
}
