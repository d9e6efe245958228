package policy

import (
	"context"
	"slices"
	"strings"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// LastVerifiedLimit is how long ago an image may last have been Verified for
// onUnavailable: UseLastVerified to serve it.
const LastVerifiedLimit = 24 * time.Hour

// standing is what the results say about one policy. The zero value is invalid.
type standing uint8

const (
	satisfied standing = iota + 1
	violated
	unknown
)

// finding is what one policy makes of an image.
type finding struct {
	policy   *Policy
	standing standing
	verdict  Verdict
	// opened is true for a refusal that was turned into a Warn, left for an image
	// whose judging is left to the pull.
	opened, left bool
}

// evaluation is what all matching policies make of one digest.
type evaluation struct {
	verdict  Verdict
	findings []finding
	// results are of the union of signers, in the order of their names.
	results []verify.Result
	// opened is true when something would have been refused, had the gate not
	// been opened.
	opened bool
	// unresolved is why there is nothing that a policy could match by; empty when
	// there are bytes.
	unresolved verify.Reason
}

// evaluate asks for the results that matched need and lets each policy judge.
// An error is ctx's own or a bug.
func (e *Engine) evaluate(ctx context.Context, rules Rules, matched []*Policy, image oci.Reference, request Request) (evaluation, error) {
	signers := union(matched)
	var results []verify.Result
	if len(signers) > 0 {
		q := verify.Query{
			Repository: image.Repository, Digest: image.Digest,
			Needed: integrations(signers), Others: others(rules.Integrations, signers), KnownOnly: request.KnownOnly,
		}
		var err error
		if results, err = e.results(ctx, q, signers); err != nil {
			return evaluation{}, err
		}
		if results, err = e.inherit(ctx, heir{image: image, knownOnly: request.KnownOnly}, signers, results); err != nil {
			return evaluation{}, err
		}
	}
	return rules.weigh(matched, results, e.now(), request.PullJudges), nil
}

// weigh lets each of matched judge by results; see [Request.PullJudges].
func (r Rules) weigh(matched []*Policy, results []verify.Result, now time.Time, pullJudges bool) evaluation {
	if len(matched) == 0 {
		switch {
		case r.WhenNoPolicy == Allow:
			return evaluation{verdict: Allow}
		case r.InformOnly:
			return evaluation{verdict: Warn, opened: true}
		}
		return evaluation{verdict: Deny}
	}
	v := evaluation{verdict: Allow, results: results, findings: make([]finding, len(matched))}
	for i, p := range matched {
		s := p.stand(results)
		verdict := p.verdict(s, results, now)
		left := pullJudges && s == unknown && p.notKnown(results)
		if left {
			verdict = Allow
		}
		opened := r.InformOnly && !verdict.Served()
		if opened {
			verdict = Warn
		}
		v.findings[i] = finding{policy: p, standing: s, verdict: verdict, opened: opened, left: left}
		v.opened = v.opened || opened
		v.verdict = Worse(v.verdict, v.findings[i].verdict)
	}
	return v
}

// union returns the signers of all policies, each once, in the order of names.
func union(policies []*Policy) []signer {
	if len(policies) == 1 {
		return policies[0].signers
	}
	var all []signer
	for _, p := range policies {
		all = append(all, p.signers...)
	}
	slices.SortFunc(all, func(a, b signer) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b signer) bool { return a.name == b.name })
}

func integrations(signers []signer) []*verify.Integration {
	all := make([]*verify.Integration, len(signers))
	for i, s := range signers {
		all[i] = s.integration
	}
	return all
}

// others returns the integrations that no signer is.
func others(all []*verify.Integration, needed []signer) []*verify.Integration {
	if len(all) <= len(needed) {
		return nil
	}
	rest := make([]*verify.Integration, 0, len(all)-len(needed))
	for _, in := range all {
		if !slices.ContainsFunc(needed, func(s signer) bool { return s.integration == in }) {
			rest = append(rest, in)
		}
	}
	return rest
}

// result returns the signer's result. One that is missing counts as
// Unavailable, like a status that is none.
func result(results []verify.Result, name string) verify.Result {
	for i := range results {
		if results[i].Integration == name {
			return results[i]
		}
	}
	return verify.Result{Integration: name, Status: verify.Unavailable}
}

// stand combines the results of the policy's signers. Any: one Verified
// satisfies, else one Unavailable makes it unknown. All: one Unsigned or
// Untrusted violates whatever the rest, else one Unavailable makes it unknown.
// No signer at all violates.
func (p *Policy) stand(results []verify.Result) standing {
	var verified, refused, unavailable int
	for _, s := range p.signers {
		switch result(results, s.name).Status {
		case verify.Verified:
			verified++
		case verify.Unsigned, verify.Untrusted:
			refused++
		default:
			unavailable++
		}
	}
	switch {
	case len(p.signers) == 0, p.requireAll && refused > 0:
		return violated
	case p.requireAll && unavailable > 0:
		return unknown
	case p.requireAll, verified > 0:
		return satisfied
	case unavailable > 0:
		return unknown
	}
	return violated
}

// notKnown reports whether what could not be found out was never asked for.
func (p *Policy) notKnown(results []verify.Result) bool {
	for _, s := range p.signers {
		switch r := result(results, s.name); r.Status {
		case verify.Verified, verify.Unsigned, verify.Untrusted:
		default:
			if r.Reason != verify.NotKnown {
				return false
			}
		}
	}
	return true
}

// verdict is the decision table of one policy.
func (p *Policy) verdict(s standing, results []verify.Result, now time.Time) Verdict {
	switch {
	case s == satisfied:
		return Allow
	case p.behavior == Inform:
		return Warn
	case s != unknown:
		return Deny
	}
	switch p.onUnavailable {
	case unavailableAllow:
		return Warn
	case unavailableUseLastVerified:
		if !p.lastVerified(results, now).IsZero() {
			return Warn
		}
	case unavailableDeny:
	}
	return Unavailable
}

// lastVerified returns when the policy was last satisfied, zero when that was
// not within [LastVerifiedLimit]. Any: the latest signer decides; All: the
// earliest of those that are not Verified now.
func (p *Policy) lastVerified(results []verify.Result, now time.Time) time.Time {
	var last time.Time
	for _, s := range p.signers {
		r := result(results, s.name)
		if r.Status == verify.Verified {
			continue
		}
		at := r.LastVerifiedAt
		// The limit holds in both directions: an instant far ahead comes from a
		// clock that was set back, and would serve for as long as it is ahead.
		if r.Status != verify.Unavailable || at.IsZero() || now.Sub(at).Abs() >= LastVerifiedLimit {
			if p.requireAll {
				return time.Time{}
			}
			continue
		}
		if last.IsZero() || at.After(last) != p.requireAll {
			last = at
		}
	}
	return last
}

// fill copies what was found into d.
func (v evaluation) fill(d *Decision) {
	d.Verdict, d.Results, d.Cached = v.verdict, v.results, true
	for i := range v.results {
		d.Cached = d.Cached && v.results[i].Cached
	}
	if len(v.findings) > 0 {
		d.Policies = make([]Outcome, len(v.findings))
	} else if v.verdict != Allow {
		d.Reasons = []string{ReasonNoPolicy}
		if v.unresolved != "" {
			d.Reasons = append(d.Reasons, string(v.unresolved))
		}
	}
	for i, f := range v.findings {
		d.Policies[i] = Outcome{
			Name: f.policy.name, Behavior: f.policy.behavior, Verdict: f.verdict,
			Satisfied: f.standing == satisfied, Violated: f.standing == violated,
		}
		if f.standing != satisfied {
			d.Reasons = append(d.Reasons, f.reasons(v.results)...)
		}
	}
	if v.opened {
		d.Reasons = append(d.Reasons, ReasonInformOnly)
	}
	slices.Sort(d.Reasons)
	d.Reasons = slices.Compact(d.Reasons)
	d.Message = v.message(*d)
}

// reasons returns a word for each result that kept the policy from being
// satisfied.
func (f finding) reasons(results []verify.Result) []string {
	var words []string
	for _, s := range f.policy.signers {
		if r := result(results, s.name); r.Status != verify.Verified {
			words = append(words, reasonOf(r))
		}
	}
	return words
}

func reasonOf(r verify.Result) string {
	switch {
	case r.Status == verify.Unsigned:
		return ReasonUnsigned
	case r.Reason != "":
		return string(r.Reason)
	case r.Status == verify.Untrusted:
		return ReasonUntrusted
	}
	return ReasonUnavailable
}
