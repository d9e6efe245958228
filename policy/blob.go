package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vouchsafe/oci"
)

// vouchTime is how long a blob that is served anyway waits for a manifest that
// vouches for it.
const vouchTime = time.Second

// DecideBlob implements [Decider]. A blob is refused when an enforcing policy
// matches its repository and every manifest known to list it is denied now; so
// is one in a repository without a policy where such images are denied. About a
// blob of which nothing is known there is nothing to say: it is served, but not
// vouched for.
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
		d.Verdict, d.Vouched, d.Message = Allow, true, blobServedMessage(d, "no enforcing policy matches")
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
	return e.decideListed(ctx, d, rules, matched, request, manifests)
}

// decideListed judges the manifests that list a blob until one is served. One of
// which nothing could be found out keeps the blob from being refused, but does
// not vouch for it: whoever may push could list anything in it.
func (e *Engine) decideListed(ctx context.Context, d Decision, rules Rules, matched []*Policy, request Request, manifests []oci.Digest) (Decision, error) {
	var denied evaluation
	for i, manifest := range manifests {
		v, err := e.evaluate(ctx, rules, matched, d.Image.WithDigest(manifest), request)
		switch {
		case err != nil:
			return broken(d), err
		case v.verdict != Deny:
			d.Verdict, d.Message = Allow, blobServedMessage(d, "listed by "+manifest.String()+", which is not denied")
			d.Vouched = v.verdict.Served() || e.vouched(ctx, d, rules, matched, request, manifests[i+1:])
			return e.finish(d), nil
		case i == 0:
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

// vouched looks for a manifest that is served. The blob is served whatever comes
// of it, so it gives up soon, and on any error.
func (e *Engine) vouched(ctx context.Context, d Decision, rules Rules, matched []*Policy, request Request, manifests []oci.Digest) bool {
	ctx, cancel := context.WithTimeout(ctx, vouchTime)
	defer cancel()
	for _, manifest := range manifests {
		v, err := e.evaluate(ctx, rules, matched, d.Image.WithDigest(manifest), request)
		if err != nil || v.verdict.Served() {
			return err == nil
		}
	}
	return false
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
