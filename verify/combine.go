package verify

import (
	"fmt"
	"slices"
)

// nearness orders the reasons of Untrusted from the nearest miss to the
// farthest, so that a person reads first what is easiest to put right: the
// right key on another image, another key, a kind that is not read, bytes that
// make no sense. A cap that was reached comes before all, since what was not
// read may be better than what was.
var nearness = []Reason{OverLimit, RegistryNotListed, DigestMismatch, KeyMismatch, Unsupported, Malformed}

// urgency orders the reasons of Unavailable: what a person must put right
// before what passes.
var urgency = []Reason{FetchUnauthorized, Timeout, FetchFailed}

// combine makes one status of all signatures and places: Verified if one
// verifies; else Unavailable if a place or an item was not completed; else
// Untrusted if a signature exists or a cap was reached; else Unsigned.
func combine(evidence Evidence, signatures []Signature, in *Integration) Result {
	var open, failed []Problem
	if evidence.OverLimit {
		failed = append(failed, *overLimit("more than is read of one image: %d signatures, %d bytes each, %d together",
			MaxSignatures, MaxSignatureBytes, MaxEvidenceBytes))
	}
	for _, s := range signatures {
		switch s.Status {
		case Verified:
			return Result{Status: Verified, Message: s.Message, Signer: s.Key.Name}
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
		return Result{Status: Unavailable, Reason: p.Reason, Message: "signatures could not be read: " + p.Message}
	case len(failed) > 0:
		p := first(failed, nearness)
		return Result{Status: Untrusted, Reason: p.Reason, Message: explain(p, len(failed), in)}
	}
	return Result{Status: Unsigned, Message: fmt.Sprintf("no signature found in %s (asked: %s)", evidence.Repository, asked(evidence.Digest))}
}

func explain(p Problem, misses int, in *Integration) string {
	if misses > 1 {
		return fmt.Sprintf("%s (the nearest of %d); wanted %s", p.Message, misses, in.Wants())
	}
	return fmt.Sprintf("%s; wanted %s", p.Message, in.Wants())
}

// first returns the problem whose reason stands first in order; a reason that
// is not in it comes last.
func first(problems []Problem, order []Reason) Problem {
	rank := func(p Problem) int {
		if at := slices.Index(order, p.Reason); at >= 0 {
			return at
		}
		return len(order)
	}
	return slices.MinFunc(problems, func(a, b Problem) int { return rank(a) - rank(b) })
}
