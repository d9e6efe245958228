package policy

import (
	"slices"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Spec is the spec of an ImagePolicy document.
type Spec struct {
	Description string `json:"description,omitempty"`
	// Severity is Low, Medium, High or Critical; empty means Medium.
	Severity string `json:"severity,omitempty"`
	// Images are whole-name globs on origin registry/repository; empty means
	// "**". "*" stops at "/".
	Images []string `json:"images,omitempty"`
	// Exclude are globs of images that the policy leaves alone.
	Exclude    []string        `json:"exclude,omitempty"`
	Namespaces *NamespacesSpec `json:"namespaces,omitempty"`
	// Signers are names of integrations, at least one.
	Signers []string `json:"signers"`
	// Require is Any or All of the signers; empty means Any.
	Require string `json:"require,omitempty"`
	// Behavior is Inform or InformAndEnforce.
	Behavior string `json:"behavior"`
	// OnUnavailable is Deny, Allow or UseLastVerified; empty means Deny.
	OnUnavailable string `json:"onUnavailable,omitempty"`
	// Disabled takes the policy out: it matches nothing.
	Disabled bool `json:"disabled,omitempty"`
}

// NamespacesSpec narrows a policy to namespaces, by exact name.
type NamespacesSpec struct {
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
}

// Policy is one policy, parsed and linked. It is immutable. The zero value
// matches every image and is never satisfied.
type Policy struct {
	name         string
	images       []glob
	exclude      []glob
	include      []string
	excludeNames []string
	// signers are in the order of their names.
	signers       []signer
	requireAll    bool
	behavior      Behavior
	onUnavailable onUnavailable
	disabled      bool
}

// signer is an integration under the name by which results find it.
type signer struct {
	name        string
	integration *verify.Integration
}

// onUnavailable says what an enforcing policy does when it could not be found
// out whether it is satisfied. The zero value refuses.
type onUnavailable uint8

const (
	unavailableDeny onUnavailable = iota
	unavailableAllow
	unavailableUseLastVerified
)

// Name returns the document's name.
func (p *Policy) Name() string { return p.name }

// Behavior returns what the policy does about a violation.
func (p *Policy) Behavior() Behavior { return p.behavior }

// Disabled reports whether the policy is taken out: then it matches nothing.
func (p *Policy) Disabled() bool { return p.disabled }

// Enforces reports whether the policy refuses images: it is not disabled and
// does more than inform.
func (p *Policy) Enforces() bool { return !p.disabled && p.behavior != Inform }

// Trusts reports whether the integration of that name is one of the signers.
func (p *Policy) Trusts(integration string) bool {
	return slices.ContainsFunc(p.signers, func(s signer) bool { return s.name == integration })
}

// Matches reports whether the policy applies to an image. namespace is empty
// where it is not known: then a policy with an include list does not apply and
// one with only an exclude list does.
func (p *Policy) Matches(repository oci.Repository, namespace string) bool {
	return p.matches(repository.String(), namespace)
}

// matches is Matches for a name that is already one string.
func (p *Policy) matches(name, namespace string) bool {
	if !p.applies(namespace) {
		return false
	}
	if len(p.images) > 0 && !anyMatches(p.images, name) {
		return false
	}
	return !anyMatches(p.exclude, name)
}

// applies reports whether the policy applies to images of a namespace.
func (p *Policy) applies(namespace string) bool {
	if p.disabled || len(p.include) > 0 && !slices.Contains(p.include, namespace) {
		return false
	}
	return namespace == "" || !slices.Contains(p.excludeNames, namespace)
}

func anyMatches(globs []glob, name string) bool {
	for _, g := range globs {
		if g.matches(name) {
			return true
		}
	}
	return false
}

// Rules is everything that a decision depends on, under one revision. It is
// immutable.
type Rules struct {
	// Revision changes whenever a decision could.
	Revision string
	// Policies in the order of their names.
	Policies []*Policy
	// Integrations in the order of their names, used by a policy or not.
	Integrations []*verify.Integration
	// WhenNoPolicy is the verdict for an image that no policy matches: Allow or
	// Deny. The zero value denies.
	WhenNoPolicy Verdict
	// InformOnly opens the gate: whatever would be refused is a Warn with the
	// reason [ReasonInformOnly]. It is not part of the revision, since it does not
	// change while a process lives.
	InformOnly bool
}
