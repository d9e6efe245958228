package report

import (
	"slices"
	"strings"

	"vouchsafe/policy"
	"vouchsafe/verify"
)

// notJudged is the rule of an image that nobody was trusted to judge.
const notJudged = "NOT_JUDGED"

// findings implements [Judged]: one for each image and integration.
func (all Verifications) findings(Run) []finding {
	var found []finding
	for _, v := range all {
		verified := slices.ContainsFunc(v.Results, func(r verify.Result) bool { return r.Status == verify.Verified })
		for _, r := range v.Results {
			found = append(found, v.finding(r, verified))
		}
		if len(v.Results) == 0 {
			found = append(found, v.unjudged())
		}
	}
	return found
}

// finding is what one result says. An image is good when one integration
// verified it, as the exit code has it: what others say is then no failure.
func (v Verification) finding(r verify.Result, verified bool) finding {
	f := finding{image: v.Image, judge: r.Integration, message: r.Message, rule: ruleOf(r)}
	switch {
	case r.Status == verify.Verified:
		f.outcome = passed
	case verified:
		f.outcome = aside
	case r.Status == verify.Unavailable:
		f.outcome = unknown
	default:
		f.outcome = failed
	}
	f.add("status", r.Status.String())
	v.describe(&f)
	f.prove(r)
	f.add("inheritedFrom", r.InheritedFrom.String())
	if f.message == "" {
		f.message = v.Image + ": " + r.Status.String()
	}
	return f
}

func (v Verification) describe(f *finding) {
	f.add("digest", v.Digest.String())
	f.add("platform", v.Platform)
	f.add("index", v.Index.String())
}

// unjudged is the finding of an image that could not be read or that nobody was
// trusted to judge: neither is a yes.
func (v Verification) unjudged() finding {
	f := finding{image: v.Image, outcome: unknown, rule: notJudged, message: "nobody is trusted, so nothing was judged"}
	if v.Digest.IsZero() {
		f.rule, f.message = string(verify.FetchFailed), v.Message
	}
	v.describe(&f)
	return f
}

// ruleOf returns the reason word of a result that is not Verified.
func ruleOf(r verify.Result) string {
	switch {
	case r.Status == verify.Verified:
		return ""
	case r.Reason != "":
		return string(r.Reason)
	case r.Status == verify.Unsigned:
		return policy.ReasonUnsigned
	case r.Status == verify.Unavailable:
		return policy.ReasonUnavailable
	}
	return policy.ReasonUntrusted
}

// findings implements [Judged]: one for each image.
func (all Checks) findings(run Run) []finding {
	found := make([]finding, len(all))
	for i, c := range all {
		found[i] = c.finding(run)
	}
	return found
}

func (c Check) finding(run Run) finding {
	f := finding{image: c.Image, message: c.Message, outcome: failed}
	switch c.Verdict {
	case policy.Allow:
		f.outcome = passed
	case policy.Warn:
		f.outcome = warned
		if run.WarnFails {
			f.outcome = failed
		}
	case policy.Unavailable:
		f.outcome = unknown
	case policy.Deny:
	}
	if f.outcome != passed {
		f.rule = c.rule()
	}
	f.add("verdict", c.Verdict.String())
	c.describe(&f)
	f.add("policies", c.policyNames())
	f.add("reasons", strings.Join(c.Reasons, ","))
	f.add("decision", c.Decision)
	return f
}

// rule is the first reason that says something of the image.
func (c Check) rule() string {
	for _, reason := range c.Reasons {
		if reason != policy.ReasonInformOnly {
			return reason
		}
	}
	if len(c.Reasons) > 0 {
		return c.Reasons[0]
	}
	return policy.ReasonInternal
}

func (c Check) policyNames() string {
	var names []string
	for _, p := range c.Policies {
		names = append(names, p.Name)
	}
	return strings.Join(names, ",")
}
