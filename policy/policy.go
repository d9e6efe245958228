package policy

import (
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

// Policy is one policy, parsed and linked. It is immutable.
type Policy struct{}

// New checks spec. signers finds an integration by name; listed reports whether
// a registry has a document or is built in, for patterns that could match
// nothing. The error joins an [oci.FieldError] for each mistake, remarks among
// them as warnings; the Policy is not nil when there are only warnings.
func New(name string, spec Spec, signers func(name string) (*verify.Integration, bool), listed func(registry string) bool) (*Policy, error) {
	panic("not built yet")
}

// Name returns the document's name.
func (p *Policy) Name() string { panic("not built yet") }

// Behavior returns what the policy does about a violation.
func (p *Policy) Behavior() Behavior { panic("not built yet") }

// Matches reports whether the policy applies to an image. namespace is empty
// where it is not known: then a policy with an include list does not apply and
// one with only an exclude list does.
func (p *Policy) Matches(repository oci.Repository, namespace string) bool { panic("not built yet") }

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
}
