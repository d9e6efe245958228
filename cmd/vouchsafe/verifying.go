package main

import (
	"context"
	"slices"

	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/verify"
)

// verifying asks for the results of one image.
func (x *examiner) verifying(integrations []*verify.Integration) asker[report.Verification] {
	names := make([]string, len(integrations))
	for i, in := range integrations {
		names[i] = in.Name()
	}
	return func(ctx context.Context, m member, above *report.Verification) answer[report.Verification] {
		image, err := x.resolve(ctx, m)
		err = x.advised(m.ref, err)
		if err == nil && x.passedOver(ctx, m, image) {
			return answer[report.Verification]{skip: true}
		}
		a := answer[report.Verification]{image: image}
		if err == nil {
			a.value, a.code, err = x.verify(ctx, m, image, integrations, above)
		}
		if err != nil {
			a.value = report.Unread(m.ref.String(), names, err)
			a.code = resultCode(a.value.Results)
		}
		a.value.Platform, a.value.Index = m.platform, m.index
		return a
	}
}

// verify judges one image that was read. The error is ctx's own.
func (x *examiner) verify(ctx context.Context, m member, image oci.Image, integrations []*verify.Integration, above *report.Verification) (report.Verification, int, error) {
	repository, digest := image.Reference.Repository, image.Reference.Digest
	if len(integrations) == 0 {
		evidence, err := x.verifier.Evidence(ctx, repository, digest, 0)
		return report.Found(m.ref, evidence), exitUsage, err
	}
	results, err := x.verifier.Results(ctx, verify.Query{Repository: repository, Digest: digest, Needed: integrations})
	if err != nil {
		return report.Verification{}, exitUnknown, err
	}
	if above != nil {
		results = inherited(results, above.Results, m.index)
	}
	return report.NewVerification(m.ref, digest, results), resultCode(results), nil
}

// inherited returns what becomes of results when index lists the image and has
// the results above: a Verified one vouches for the image, and one that could not
// be found out leaves it open. It is the rule that a pull goes by.
func inherited(results, above []verify.Result, index oci.Digest) []verify.Result {
	results = slices.Clone(results)
	for i, own := range results {
		at := slices.IndexFunc(above, func(r verify.Result) bool { return r.Integration == own.Integration })
		if own.Status == verify.Verified || at < 0 {
			continue
		}
		switch up := above[at]; up.Status {
		case verify.Verified:
			if up.InheritedFrom.IsZero() {
				up.InheritedFrom = index
				up.Message = "through index " + index.Short() + ": " + up.Message
			}
			up.Signatures = slices.Concat(own.Signatures, up.Signatures)
			results[i] = up
		case verify.Unavailable:
			if own.Status != verify.Unavailable {
				up.Signatures = own.Signatures
				results[i] = up
			}
		case verify.Unsigned, verify.Untrusted:
		}
	}
	return results
}

// resultCode is the exit code of one image: verified by one of the integrations,
// else unknown if one could not be found out, else not verified.
func resultCode(results []verify.Result) int {
	is := func(status verify.Status) bool {
		return slices.ContainsFunc(results, func(r verify.Result) bool { return r.Status == status })
	}
	switch {
	case is(verify.Verified):
		return exitOK
	case is(verify.Unavailable), len(results) == 0:
		return exitUnknown
	}
	return exitRefused
}
