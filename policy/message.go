package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Limits of a message, in bytes.
const (
	// MaxMessage is the most that a decision's message has.
	MaxMessage = 999
	// maxFound and maxWanted bound what is quoted from evidence and from
	// integrations.
	maxFound, maxWanted = 200, 160
)

func subject(d Decision) string { return d.Subject() }

// Subject names what was judged, printable: the origin name with the full digest.
// The tag is left out, since what a tag names may already be something else;
// without a digest it is all there is. What is no image name stands as it was
// asked for.
func (d Decision) Subject() string {
	switch {
	case d.Name != "":
		return printable(d.Name, maxFound)
	case d.Image.Digest.IsZero():
		return d.Image.String()
	}
	return oci.Reference{Repository: d.Image.Repository, Digest: d.Image.Digest}.String()
}

func tail(d Decision) string { return " (decision " + d.ID + ")" }

func exemptMessage(d Decision) string { return subject(d) + ": signature artifact" + tail(d) }

func brokenMessage(d Decision) string {
	return subject(d) + ": could not be judged, internal error; try again" + tail(d)
}

func supersededMessage(d Decision) string {
	return subject(d) + ": the configuration changed while this was decided (" + ReasonSuperseded + "); try again" + tail(d)
}

func lineageMessage(d Decision) string {
	return subject(d) + ": could not remember what this index lists (" + ReasonLineageUnavailable + "); try again" + tail(d)
}

func artifactMessage(d Decision) string {
	return subject(d) + ": could not read whether this is a signature (" + string(verify.FetchFailed) + "); try again" + tail(d)
}

func blobLineageMessage(d Decision) string {
	return subject(d) + ": could not look up which manifests list this blob (" + ReasonLineageUnavailable + "); try again" + tail(d)
}

func blobServedMessage(d Decision, why string) string {
	return subject(d) + ": blob served, " + why + tail(d)
}

// blobMessage is for a blob that only denied manifests list.
func (v evaluation) blobMessage(d Decision, manifest oci.Digest) string {
	return v.refusal(subject(d)+": blob of "+manifest.String()+", ", d)
}

// message explains the verdict in one line. Only policies with that verdict are
// named: those are what somebody has to act upon.
func (v evaluation) message(d Decision) string { return v.refusal(subject(d)+": ", d) }

func (v evaluation) refusal(head string, d Decision) string {
	switch {
	case len(v.findings) == 0 && v.verdict == Allow:
		return head + "no policy matches" + tail(d)
	case len(v.findings) == 0 && v.opened:
		return head + "would be refused, " + v.nowhere() + "no policy matches it; served because of INFORM_ONLY" + tail(d)
	case len(v.findings) == 0:
		return head + "refused, " + v.nowhere() + "no policy matches it" + tail(d)
	case v.verdict == Allow && slices.ContainsFunc(v.findings, func(f finding) bool { return f.left }):
		return v.leftMessage(head, d)
	case v.verdict == Allow:
		return assemble(head, []clause{{lead: "verified by ", text: v.verifiedBy()}}, tail(d))
	}
	var clauses []clause
	for _, f := range v.findings {
		if f.verdict == v.verdict {
			clauses = append(clauses, f.clause(v.results, d.Time))
		}
	}
	end := tail(d)
	if v.opened {
		end = "; served because of INFORM_ONLY" + end
	}
	if v.verdict == Unavailable {
		end = "; try again" + end
	}
	return assemble(head, clauses, end)
}

// leftMessage is for an image of which not all is known yet.
func (v evaluation) leftMessage(head string, d Decision) string {
	var clauses []clause
	for _, f := range v.findings {
		if f.left {
			clauses = append(clauses, clause{lead: "not judged yet for policy ", again: "for policy ", text: f.policy.name})
		}
	}
	return assemble(head, clauses, " ("+string(verify.NotKnown)+"); the pull will be judged"+tail(d))
}

// nowhere says first what may be put right before a policy is written.
func (v evaluation) nowhere() string {
	if text := foundWords[v.unresolved]; text != "" {
		return text + " and "
	}
	return ""
}

// verifiedBy lists the results that count, in the order of their names.
func (v evaluation) verifiedBy() string {
	var names []string
	for i := range v.results {
		r := &v.results[i]
		if r.Status != verify.Verified {
			continue
		}
		name := r.Integration
		if r.Signer != "" {
			name += " (" + printable(r.Signer, maxFound) + ")"
		}
		if !r.InheritedFrom.IsZero() {
			name += " through index " + r.InheritedFrom.Short()
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// clause is one policy's part of a message. Neighbours with the same lead share
// it: "refused by policy a: …; and by policy b: …".
type clause struct{ lead, again, text string }

func (f finding) clause(results []verify.Result, now time.Time) clause {
	name := f.policy.name + ": "
	if f.standing == unknown {
		return clause{
			lead: "could not verify for policy ", again: "for policy ",
			text: name + f.found(results) + f.servedBecause(results, now),
		}
	}
	lead := "refused by policy "
	if f.verdict == Warn {
		lead = "would be refused by policy "
	}
	return clause{lead: lead, again: "by policy ", text: name + f.found(results) + f.wanted(results)}
}

// servedBecause says why an image of which nothing is known is served; empty
// when it is not.
func (f finding) servedBecause(results []verify.Result, now time.Time) string {
	switch {
	case f.verdict != Warn, f.opened:
		return ""
	case f.policy.behavior == Inform:
		return ", served because the policy only informs"
	case f.policy.onUnavailable == unavailableAllow:
		return ", served because onUnavailable is Allow"
	}
	return ", served because last verified at " + f.policy.lastVerified(results, now).UTC().Format(time.RFC3339)
}

// counts reports whether a result belongs to the explanation: for what is
// unknown only what could not be found out, for a violation of All only what
// was refused.
func (f finding) counts(r verify.Result) bool {
	if f.standing == unknown {
		return r.Status != verify.Verified && r.Status != verify.Unsigned && r.Status != verify.Untrusted
	}
	return r.Status == verify.Unsigned || r.Status == verify.Untrusted
}

// found says what was found instead of a trusted signature, each thing once.
func (f finding) found(results []verify.Result) string {
	var all []string
	for _, s := range f.policy.signers {
		r := result(results, s.name)
		if text := foundText(r); f.counts(r) && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return "no signer can satisfy it"
	}
	return shorten(strings.Join(all, " and "), maxFound)
}

// wanted says which signers would satisfy the policy.
func (f finding) wanted(results []verify.Result) string {
	var all []string
	for _, s := range f.policy.signers {
		if f.counts(result(results, s.name)) {
			all = append(all, s.name+" ("+printable(s.integration.Wants(), maxWanted)+")")
		}
	}
	if len(all) == 0 {
		return ""
	}
	or := " or "
	if f.policy.requireAll {
		or = " and "
	}
	return ", wanted " + shorten(strings.Join(all, or), 2*maxWanted)
}

// foundWords are stable texts for reasons: they are in refusals, events and
// records that people search.
var foundWords = map[verify.Reason]string{
	verify.KeyMismatch:            "signed by another key",
	verify.KeyExpired:             "signed outside the key's window",
	verify.IdentityMismatch:       "signed by another identity",
	verify.IssuerMismatch:         "signed by an identity of another issuer",
	verify.ChainInvalid:           "signed with a certificate of another authority",
	verify.CertificateExpired:     "signed with a certificate that was not valid",
	verify.SCTMissing:             "signed with a certificate without proof of its publication",
	verify.SCTInvalid:             "signed with a certificate whose proof of publication is not valid",
	verify.TlogMissing:            "signed without an entry in the transparency log",
	verify.TlogInvalid:            "signed with an entry in the transparency log that is not valid",
	verify.TimestampMissing:       "signed without a timestamp",
	verify.TimestampInvalid:       "signed with a timestamp that is not valid",
	verify.DigestMismatch:         "the signature is of another image",
	verify.NameMismatch:           "the signature is for another name",
	verify.Malformed:              "the signature cannot be read",
	verify.OverLimit:              "more signatures than are read, none of them trusted",
	verify.Unsupported:            "the signature is of a kind that is not supported",
	verify.RegistryNotListed:      "the registry is not listed",
	verify.FetchFailed:            "registry failed",
	verify.FetchUnauthorized:      "registry does not let the gateway read signatures",
	verify.TlogUnavailable:        "transparency log did not answer",
	verify.Timeout:                "registry did not answer",
	verify.TrustedRootUnavailable: "no trusted root to judge by was obtained yet, or none for too long",
	verify.NotKnown:               "not judged yet",
	ReasonNameInvalid:             "this is no image name",
	ReasonImageUnknown:            "the registry has no such image",
	ReasonManifestInvalid:         "the manifest cannot be read",
	ReasonLineageUnavailable:      "could not look up which indexes list it",
}

// foundText says what a result found. What evidence says about itself, an
// attacker wrote.
func foundText(r verify.Result) string {
	if r.Status == verify.Unsigned {
		return "no signature found"
	}
	word := reasonOf(r)
	text, known := foundWords[verify.Reason(word)]
	switch {
	case r.Signer != "" && (r.Reason == verify.IdentityMismatch || r.Reason == verify.IssuerMismatch):
		text = "signed by " + printable(r.Signer, maxFound)
		if r.Issuer != "" && r.Reason == verify.IssuerMismatch {
			text += " of " + printable(r.Issuer, maxFound)
		}
	case !known && r.Message != "":
		text = printable(r.Message, maxFound)
	case !known:
		text = "not verified"
	}
	if r.Status != verify.Untrusted {
		text += " (" + printable(word, maxFound) + ")"
	}
	return text
}

// assemble joins clauses as long as the line stays within [MaxMessage]; the
// first is cut rather than left out.
func assemble(head string, clauses []clause, end string) string {
	const reserve = len("; … and 1000 more")
	line, lead := head, ""
	for i, c := range clauses {
		text := c.lead + c.text
		switch {
		case i > 0 && c.lead == lead:
			text = "; and " + c.again + c.text
		case i > 0:
			text = "; and " + text
		}
		room := MaxMessage - len(line) - len(end)
		if i < len(clauses)-1 {
			room -= reserve
		}
		if len(text) > room && i > 0 {
			line += fmt.Sprintf("; … and %d more", len(clauses)-i)
			break
		}
		line, lead = line+shorten(text, room), c.lead
	}
	return line + end
}

// printable replaces what could end or disguise a line, and bounds the length.
func printable(s string, limit int) string {
	s = shorten(s, limit)
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strings.Map(func(r rune) rune {
				if unicode.IsPrint(r) {
					return r
				}
				return ' '
			}, s)
		}
	}
	return s
}

// shorten cuts s to limit bytes, at the end of a character.
func shorten(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	at := max(0, limit-len(mark))
	for at > 0 && s[at]&0xC0 == 0x80 {
		at--
	}
	return s[:at] + mark
}
