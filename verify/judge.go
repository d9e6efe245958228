package verify

import (
	"fmt"
	"time"
)

// finding is what one integration makes of one item. The zero value is no
// status, so never Verified.
type finding struct {
	// status is Verified, Untrusted, Unavailable, or Unsigned for what is no
	// signature at all.
	status  Status
	reason  Reason
	message string
	// near orders findings of one reason: the greater, the nearer.
	near int
	// What was proven, whatever the status.
	key         *trustedKey
	certificate *Certificate
	timestamps  []Timestamp
	entry       *RekorBundle
	// endsAt is when a Verified stops being one; zero is never.
	endsAt time.Time
}

// Judge says what in makes of evidence at now. It is pure: no network, no
// clock, no environment, no state. A panic in a library is a Malformed
// signature.
func Judge(evidence Evidence, in *Integration, now time.Time) Result {
	return judgeAll(evidence, []*Integration{in}, now)[0]
}

// judgeAll is Judge for several integrations at once. Each signature is parsed
// once, what is proven by one authority or log is proven once, and nothing of it
// is held beyond its turn.
func judgeAll(evidence Evidence, all []*Integration, now time.Time) []Result {
	asked := question{repository: evidence.Repository, digest: evidence.Digest, now: now}
	signatures := make([][]Signature, len(all))
	ends := make([][]time.Time, len(all))
	for _, item := range evidence.Items {
		one, bad, ok := read(item)
		for i, in := range all {
			found := bad
			if ok {
				found = judgeSafely(one, asked, &in.trust)
			}
			signatures[i] = append(signatures[i], found.signature(item))
			ends[i] = append(ends[i], found.endsAt)
		}
	}
	results := make([]Result, len(all))
	for i, in := range all {
		result := combine(evidence, signatures[i], ends[i], in)
		result.Integration = in.Name()
		result.Revision = in.Revision()
		result.Signatures = signatures[i]
		result.JudgedAt = now
		result.CollectedAt = evidence.CollectedAt
		results[i] = result
	}
	return results
}

// signature is the finding as a part of a result.
func (f finding) signature(item Item) Signature {
	one := Signature{
		Format: item.Format, Digest: item.Digest, Source: item.Source,
		Status: f.status, Reason: f.reason, Message: f.message,
		Certificate: f.certificate, Timestamps: f.timestamps, RekorBundle: f.entry,
	}
	if f.key != nil {
		one.Key = &f.key.Key
	}
	return one
}

// read parses item on the calling goroutine, where a panic of a library that
// meets hostile input can be caught.
func read(item Item) (one *signed, bad finding, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			one, bad, ok = nil, panicked(), false
		}
	}()
	if item.Problem != nil {
		status := Untrusted
		if item.Problem.Unavailable {
			status = Unavailable
		}
		return nil, finding{status: status, reason: item.Problem.Reason, message: item.Problem.Message}, false
	}
	one, bad, ok = parse(item)
	if ok {
		one.answer = item.answer
	}
	return one, bad, ok
}

// judgeSafely is judgeSigned, of which a panic costs that signature alone.
func judgeSafely(one *signed, asked question, trusted *trust) (found finding) {
	defer func() {
		if v := recover(); v != nil {
			found = panicked()
		}
	}()
	return judgeSigned(one, asked, trusted)
}

func panicked() finding { return malformed("the signature makes a parser fail") }

// judgeSigned tries each way of the trust: Verified when one is satisfied, else
// the finding that came furthest.
func judgeSigned(one *signed, asked question, trusted *trust) finding {
	if trusted.absent != "" {
		return finding{status: Unavailable, reason: TrustedRootUnavailable, message: trusted.absent}
	}
	var found []finding
	for _, key := range trusted.keys {
		if one.certified && one.covers != coversPayload {
			break // a bundle says by what it is verified, and that is no key
		}
		if !key.signs(one, asked.digest) {
			continue
		}
		a := newAttempt(one, asked, trusted, keySigner(key))
		found = append(found, a.finding(a.walk(asked.road(), keyRoad)))
	}
	switch {
	case one.certified && len(trusted.certificates) > 0:
		found = append(found, judgeCertified(one, asked, trusted)...)
	case len(found) > 0:
	case one.certified:
		return byCertificate()
	case len(trusted.keys) == 0:
		return byBareKey()
	default:
		return byOtherKey(one, trusted)
	}
	return nearestFinding(found)
}

func malformed(format string, args ...any) finding {
	return finding{status: Untrusted, reason: Malformed, message: fmt.Sprintf(format, args...)}
}

func byCertificate() finding {
	return finding{status: Untrusted, reason: KeyMismatch, message: "signed with a certificate; this integration has keys only"}
}

func byBareKey() finding {
	return finding{status: Untrusted, reason: KeyMismatch, message: "signed with a key; this integration has certificates only"}
}
