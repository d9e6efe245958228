package verify

import (
	"errors"
	"slices"

	"vouchsafe/oci"
)

// verifierVersion is part of every revision. It is raised by any change after
// which the same evidence could be judged otherwise.
const verifierVersion = "2"

// Integration is a named set of keys and identities that an operator trusts, with
// what else is demanded of their signatures, parsed. It is immutable and safe for
// concurrent use; one is built per revision, never per image.
type Integration struct {
	name     string
	revision string
	wants    string
	trust    trust
}

// NewIntegration is [LoadIntegration] for a spec that names no file.
func NewIntegration(name string, spec Spec) (*Integration, error) {
	return LoadIntegration(name, spec, LoadOptions{})
}

// LoadIntegration checks and parses spec. The error joins an [oci.FieldError]
// for each mistake, with paths such as "spec.publicKeys[0].key". When all of
// them are warnings, the Integration is returned beside the error.
func LoadIntegration(name string, spec Spec, opts LoadOptions) (*Integration, error) {
	c := newComposer(spec, opts)
	t := c.compose()
	if c.root.mirror != (MirrorSource{}) {
		c, t = c.withMirror(t, spec, opts)
	}
	if slices.ContainsFunc(c.problems, func(err error) bool { return !isWarning(err) }) {
		return nil, errors.Join(c.problems...)
	}
	in := &Integration{name: name, trust: t, revision: t.hash(), wants: t.describe()}
	return in, errors.Join(c.problems...)
}

// Name returns the document's name.
func (i *Integration) Name() string { return i.name }

// Revision is a hash of what was parsed, independent of the name, of how PEM and
// JSON are laid out and of the order of lists, and of the verifier's version;
// equal in every process. Results under another revision are never used.
func (i *Integration) Revision() string { return i.revision }

// Wants says in a few words which signers would satisfy, for messages: keys by
// name, identities with their issuers, of which it lists the first few.
func (i *Integration) Wants() string { return i.wants }

// Mirror is the TUF mirror that gives the trusted root; zero for none.
func (i *Integration) Mirror() MirrorSource { return i.trust.mirror }

// signaturesOf is the repository where the signatures of an image in repository
// are.
func (i *Integration) signaturesOf(repository oci.Repository) oci.Repository {
	if i.trust.signatures == (oci.Repository{}) {
		return repository
	}
	return i.trust.signatures
}

func isWarning(err error) bool {
	field, ok := errors.AsType[*oci.FieldError](err)
	return ok && field.Warning
}
