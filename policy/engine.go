package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// RetryAfter is when a client may ask again for an image about which nothing
// could be found out: the lifetime of an Unavailable result.
const RetryAfter = 5 * time.Second

// Engine is the [Decider] that all others wrap. It keeps nothing: each question
// is answered from the rules and the results of now.
type Engine struct {
	// Rules returns the rules in force now.
	Rules func() Rules
	// Results verifies.
	Results Results
	// Lineage remembers indexes and their children.
	Lineage Lineage
	// Artifacts tells signature artifacts from images; nil goes by the manifest
	// alone, so exempts only what no runtime takes for an image.
	Artifacts *Artifacts
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NewID makes decision ids; nil means ULIDs.
	NewID func(time.Time) string
	// Observe is called with each matching policy's verdict; nil means not
	// observed.
	Observe func(policy string, behavior Behavior, verdict Verdict)
}

var _ Decider = (*Engine)(nil)

// Decide implements [Decider].
//
// Lineage is recorded before anything is judged, refused images included, since
// it is fact about content. When that fails the pull goes on: what is not
// remembered keeps children from inheriting, so refuses more. Only an index that
// an enforcing policy would let through becomes Unavailable, so that its
// children are not denied later for a reason that nobody sees.
func (e *Engine) Decide(ctx context.Context, request Request, image oci.Image) (decision Decision, err error) {
	d := Decision{Image: image.Reference, MediaType: image.MediaType, Name: request.Unresolved.Name}
	defer e.contain(&d, &decision, &err)
	d.Time = e.now()
	d.ID = e.newID(d.Time)
	resolved := request.Unresolved.IsZero()
	if resolved && !judgeable(image) {
		return broken(d), fmt.Errorf("decide %s: the image has no digest or no manifest", image.Reference)
	}
	rules := e.Rules()
	d.Revision, d.InformOnly = rules.Revision, rules.InformOnly
	if request.Superseded {
		return e.superseded(d), nil
	}
	if !resolved {
		return e.unresolved(d, rules, request, image)
	}
	return e.judge(ctx, d, rules, request, image)
}

// judgeable reports whether there is something to judge.
func judgeable(image oci.Image) bool {
	return !image.Reference.Digest.IsZero() && (image.Manifest.Kind == oci.KindImage || image.Manifest.Kind == oci.KindIndex)
}

// judge decides about an image that is there.
func (e *Engine) judge(ctx context.Context, d Decision, rules Rules, request Request, image oci.Image) (Decision, error) {
	artifacts := e.Artifacts
	if request.KnownOnly {
		artifacts = nil // Reads nothing: what would have to be read is an image.
	}
	exempt, exemptErr := artifacts.Exempt(ctx, image)
	if exempt {
		d.Verdict, d.Exempt, d.Cached = Allow, true, true
		d.Message = exemptMessage(d)
		return e.finish(d), nil
	}
	recordErr := e.Lineage.Record(ctx, image)
	matched := rules.matching(image.Reference.Repository, request.Namespace)
	v, err := e.evaluate(ctx, rules, matched, image.Reference, request)
	if err != nil {
		return broken(d), err
	}
	v.fill(&d)
	if exemptErr != nil && d.Verdict == Deny {
		if ctx.Err() != nil {
			return broken(d), ctx.Err()
		}
		d.Verdict, d.Reasons = Unavailable, []string{string(verify.FetchFailed)}
		d.Message = artifactMessage(d)
	}
	if recordErr != nil && image.Manifest.Kind == oci.KindIndex && d.Enforced() && d.Verdict.Served() {
		d.Verdict, d.Reasons = Unavailable, []string{ReasonLineageUnavailable}
		d.Message = lineageMessage(d)
	}
	for i := range d.Policies {
		e.observe(d.Policies[i])
	}
	return e.finish(d), nil
}

// matching returns the policies that apply, in their order.
func (r Rules) matching(repository oci.Repository, namespace string) []*Policy {
	if len(r.Policies) == 0 {
		return nil
	}
	name := repository.String()
	var matched []*Policy
	for _, p := range r.Policies {
		if p.matches(name, namespace) {
			matched = append(matched, p)
		}
	}
	return matched
}

// contain turns a panic into an error and a verdict that is never served, and
// makes sure that no served verdict leaves beside an error.
func (e *Engine) contain(partial, decision *Decision, err *error) {
	if p := recover(); p != nil {
		*decision = broken(*partial)
		*err = fmt.Errorf("decide %s: panic: %v\n%s", partial.Image, p, debug.Stack())
	}
	if *err != nil && (*decision).Verdict != Unavailable {
		*decision = broken(*partial)
	}
}

// broken is the decision that goes with an error.
func broken(d Decision) Decision {
	d.Verdict, d.Reasons, d.RetryAfter = Unavailable, []string{ReasonInternal}, RetryAfter
	d.Policies, d.Results, d.Exempt, d.Cached = nil, nil, false, false
	d.Message = brokenMessage(d)
	return d
}

// superseded is the decision about a question that the rules outran.
func (e *Engine) superseded(d Decision) Decision {
	d.Verdict, d.Reasons, d.Cached = Unavailable, []string{ReasonSuperseded}, true
	d.Message = supersededMessage(d)
	return e.finish(d)
}

// finish fills what depends on the verdict and the clock.
func (e *Engine) finish(d Decision) Decision {
	if d.Verdict == Unavailable {
		d.RetryAfter = RetryAfter
	}
	d.Duration = max(0, e.now().Sub(d.Time))
	return d
}

func (e *Engine) observe(p Outcome) {
	if e.Observe != nil {
		e.Observe(p.Name, p.Behavior, p.Verdict)
	}
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e *Engine) newID(t time.Time) string {
	if e.NewID != nil {
		return e.NewID(t)
	}
	return NewID(t)
}

var errResults = errors.New("verification answered something else than what was asked")

// results asks for the results of one digest and checks that each answer is of
// the integration that was asked: a mix-up would let one key stand for another.
func (e *Engine) results(ctx context.Context, q verify.Query, signers []signer) ([]verify.Result, error) {
	results, err := e.Results.Results(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("results of %s@%s: %w", q.Repository, q.Digest, err)
	}
	if len(results) != len(signers) {
		return nil, errResults
	}
	for i := range results {
		if results[i].Integration != signers[i].name {
			return nil, errResults
		}
	}
	return results, nil
}
