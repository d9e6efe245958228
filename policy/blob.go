package policy

import (
	"context"
	"fmt"
	"slices"

	"vouchsafe/oci"
)

// DecideBlob implements [Decider]. A blob is refused when an enforcing policy
// matches its repository and every manifest known to list it is denied now; so
// is one in a repository without a policy where such images are denied. About a
// blob of which nothing is known there is nothing to say: it is served.
func (e *Engine) DecideBlob(ctx context.Context, request Request, blob oci.Digest) (decision Decision, err error) {
	d := Decision{Image: oci.Reference{Repository: request.Reference.Repository, Digest: blob}, Cached: true}
	defer e.contain(&d, &decision, &err)
	d.Time = e.now()
	d.ID = e.newID(d.Time)
	if blob.IsZero() {
		return broken(d), fmt.Errorf("decide blob of %s: no digest", d.Image.Repository)
	}
	rules := e.Rules()
	d.Revision, d.InformOnly = rules.Revision, rules.InformOnly
	if request.Superseded {
		return e.superseded(d), nil
	}
	matched := rules.matching(d.Image.Repository, request.Namespace)
	if !enforced(rules, matched) {
		d.Verdict, d.Message = Allow, blobServedMessage(d, "no enforcing policy matches")
		return e.finish(d), nil
	}
	manifests, err := e.Lineage.Listing(ctx, d.Image.Repository, BlobOf, blob)
	if err != nil {
		if ctx.Err() != nil {
			return broken(d), ctx.Err()
		}
		d.Verdict, d.Reasons = Unavailable, []string{ReasonLineageUnavailable}
		d.Message = blobLineageMessage(d)
		return e.finish(d), nil
	}
	return e.decideListed(ctx, d, rules, matched, manifests)
}

// decideListed judges the manifests that list a blob until one is not denied.
func (e *Engine) decideListed(ctx context.Context, d Decision, rules Rules, matched []*Policy, manifests []oci.Digest) (Decision, error) {
	var denied evaluation
	for i, manifest := range manifests {
		v, err := e.evaluate(ctx, rules, matched, d.Image.WithDigest(manifest))
		if err != nil {
			return broken(d), err
		}
		if v.verdict != Deny {
			d.Verdict, d.Message = Allow, blobServedMessage(d, "listed by "+manifest.String()+", which is not denied")
			return e.finish(d), nil
		}
		if i == 0 {
			denied = v
		}
	}
	if len(manifests) == 0 {
		d.Verdict, d.Message = Allow, blobServedMessage(d, "no manifest is known to list it")
		return e.finish(d), nil
	}
	denied.fill(&d)
	d.Message = denied.blobMessage(d, manifests[0])
	for _, p := range d.Policies {
		e.observe(p)
	}
	return e.finish(d), nil
}

// enforced reports whether rules can deny a manifest that matched apply to.
func enforced(rules Rules, matched []*Policy) bool {
	if rules.InformOnly {
		return false
	}
	if len(matched) == 0 {
		return rules.WhenNoPolicy != Allow
	}
	return slices.ContainsFunc(matched, (*Policy).Enforces)
}
