package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// DecideAgain judges an image that was judged before, without its bytes: one
// that is known to be no signature artifact and whose lineage was recorded. It
// returns the decision as of now and the results of all integrations, in the
// order of their names, inherited ones included. Results and evidence of the
// image older than maxAge do not count; zero means their own lifetimes, which
// are always those of the indexes that list it. above are indexes of the same
// repository that were known to list it, directly or through others; they are
// asked even when the lineage has forgotten them. At most [MaxParents] count.
//
// Like Decide it never returns a served verdict with an error: the error is
// ctx's own or a bug. Policies are not observed, since nobody is answered.
func (e *Engine) DecideAgain(ctx context.Context, request Request, image oci.Reference, mediaType string, maxAge time.Duration, above []oci.Digest) (decision Decision, all []verify.Result, err error) {
	d := Decision{Image: image, MediaType: mediaType}
	defer func() {
		if err != nil {
			all = nil
		}
	}()
	defer e.contain(&d, &decision, &err)
	rules, err := e.begin(&d)
	if err != nil {
		return broken(d), nil, err
	}
	matched := rules.matching(image.Repository, request.Namespace)
	signers := everySigner(rules, matched)
	if len(signers) > 0 {
		q := verify.Query{Repository: image.Repository, Digest: image.Digest, Needed: integrations(signers), MaxAge: maxAge}
		if all, err = e.results(ctx, q, signers); err != nil {
			return broken(d), nil, err
		}
		if all, err = e.inherit(ctx, heir{image: image}, signers, all, above...); err != nil {
			return broken(d), nil, err
		}
	}
	return e.conclude(d, rules, matched, all), all, nil
}

// DecideFrom judges an image by results that are at hand and asks nobody. One
// that is missing, or of another revision of its integration, counts as
// Unavailable. The error is a bug.
func (e *Engine) DecideFrom(request Request, image oci.Reference, mediaType string, results []verify.Result) (decision Decision, err error) {
	d := Decision{Image: image, MediaType: mediaType}
	defer e.contain(&d, &decision, &err)
	rules, err := e.begin(&d)
	if err != nil {
		return broken(d), err
	}
	matched := rules.matching(image.Repository, request.Namespace)
	var valid []verify.Result
	for _, s := range everySigner(rules, matched) {
		r := result(results, s.name)
		if r.Revision != s.integration.Revision() {
			r = verify.Result{Integration: s.name, Revision: s.integration.Revision(), Status: verify.Unavailable}
		}
		valid = append(valid, r)
	}
	return e.conclude(d, rules, matched, valid), nil
}

// begin fills in what a decision has from its start.
func (e *Engine) begin(d *Decision) (Rules, error) {
	d.Time = e.now()
	d.ID = e.newID(d.Time)
	if d.Image.Digest.IsZero() {
		return Rules{}, fmt.Errorf("decide %s again: the image has no digest", d.Image)
	}
	rules := e.Rules()
	d.Revision, d.InformOnly = rules.Revision, rules.InformOnly
	return rules, nil
}

// conclude lets matched judge; the decision carries the results of their signers
// alone, like any other.
func (e *Engine) conclude(d Decision, rules Rules, matched []*Policy, all []verify.Result) Decision {
	signers := union(matched)
	var results []verify.Result
	for _, s := range signers {
		results = append(results, result(all, s.name))
	}
	rules.weigh(matched, results, e.now(), false).fill(&d)
	return e.finish(d)
}

// everySigner returns all integrations of rules, those of matched among them,
// each once, in the order of names.
func everySigner(rules Rules, matched []*Policy) []signer {
	all := slices.Clone(union(matched))
	for _, in := range rules.Integrations {
		if !slices.ContainsFunc(all, func(s signer) bool { return s.name == in.Name() }) {
			all = append(all, signer{in.Name(), in})
		}
	}
	slices.SortFunc(all, func(a, b signer) int { return strings.Compare(a.name, b.name) })
	return all
}
