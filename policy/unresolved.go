package policy

import (
	"fmt"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Unresolved says that there are no bytes to judge, and why. The zero value says
// that there are.
type Unresolved struct {
	// Status is what every integration makes of it: Unavailable when it could not
	// be found out, Untrusted when it is known that nothing can be verified. Any
	// other counts as Unavailable.
	Status verify.Status
	// Reason is a word of package verify, or one of [ReasonNameInvalid],
	// [ReasonImageUnknown] and [ReasonManifestInvalid].
	Reason verify.Reason
	// Message explains a Reason that is none of these; may be empty.
	Message string
	// Name is what was asked for, as it was written, where that is no image name;
	// else empty. With it no repository can be matched: every policy that applies
	// to the namespace counts as matching.
	Name string
}

// NoName says that name is no image name.
func NoName(name string) Unresolved {
	return Unresolved{Status: verify.Untrusted, Reason: ReasonNameInvalid, Name: name}
}

// NotListed says that the image's registry has no Registry document.
func NotListed() Unresolved {
	return Unresolved{Status: verify.Untrusted, Reason: verify.RegistryNotListed}
}

// NotKnown says that the name is not known, and that nobody may be asked.
func NotKnown() Unresolved {
	return Unresolved{Status: verify.Unavailable, Reason: verify.NotKnown}
}

// TimedOut says that the registry did not answer while it could be waited for.
func TimedOut() Unresolved {
	return Unresolved{Status: verify.Unavailable, Reason: verify.Timeout}
}

// NotResolved says what err, of the resolution of a name, means.
func NotResolved(err error) Unresolved {
	switch oci.CodeOf(err) {
	case oci.CodeNotListed:
		return NotListed()
	case oci.CodeTimeout:
		return TimedOut()
	case oci.CodeUnauthorized:
		return Unresolved{Status: verify.Unavailable, Reason: verify.FetchUnauthorized}
	case oci.CodeNameUnknown, oci.CodeManifestUnknown:
		return Unresolved{Status: verify.Unavailable, Reason: ReasonImageUnknown}
	case oci.CodeManifestInvalid:
		return Unresolved{Status: verify.Untrusted, Reason: ReasonManifestInvalid}
	default:
		return Unresolved{Status: verify.Unavailable, Reason: verify.FetchFailed}
	}
}

// IsZero reports whether there are bytes to judge.
func (u Unresolved) IsZero() bool { return u == Unresolved{} }

// unresolved decides about a name behind which there are no bytes: there is no
// lineage and no exemption, each integration says what request says, and the
// policies weigh that as usual.
func (e *Engine) unresolved(d Decision, rules Rules, request Request, image oci.Image) (Decision, error) {
	u := request.Unresolved
	named := image.Reference.Repository != oci.Repository{}
	if len(image.Bytes) > 0 || image.Manifest.Kind != 0 || named == (u.Name != "") {
		return broken(d), fmt.Errorf("decide %s: said to be unresolved, but has bytes, or no name or two", d.Subject())
	}
	matched := rules.matching(image.Reference.Repository, request.Namespace)
	if !named {
		matched = rules.applying(request.Namespace)
	}
	if u.Status != verify.Untrusted {
		u.Status = verify.Unavailable
	}
	signers := union(matched)
	results := make([]verify.Result, len(signers))
	for i, s := range signers {
		results[i] = verify.Result{
			Integration: s.name, Revision: s.integration.Revision(), Status: u.Status, Reason: u.Reason, Message: u.Message,
			JudgedAt: d.Time, CollectedAt: d.Time, Cached: true,
		}
	}
	v := rules.weigh(matched, results, d.Time, request.PullJudges)
	v.unresolved = u.Reason
	v.fill(&d)
	for i := range d.Policies {
		e.observe(d.Policies[i])
	}
	return e.finish(d), nil
}

// applying returns the policies that apply to a namespace, whatever the image.
func (r Rules) applying(namespace string) []*Policy {
	var all []*Policy
	for _, p := range r.Policies {
		if p.applies(namespace) {
			all = append(all, p)
		}
	}
	return all
}
