package verify

import (
	"errors"
	"slices"

	"vouchsafe/oci"
)

// mirroredRoot checks spec.trustedRoot.tuf. What the mirror gave is not looked
// at here: whether a document loads must not hang on what somebody else says.
func (c *composer) mirroredRoot(spec TUFSpec) trustedRoot {
	if c.spec.TrustedRoot.File != "" {
		c.mistake("spec.trustedRoot.tuf", "stands beside file", "keep one of the two")
		return trustedRoot{broken: true}
	}
	source, ok := c.mirrorSource(spec)
	if !ok {
		return trustedRoot{broken: true}
	}
	return trustedRoot{broken: true, mirror: source}
}

// withMirror composes again with the trusted root that c's mirror gave. While it
// gave none, or one that does not fit the spec, t stays, by which nothing is
// judged: what a mirror says may make things Unavailable, never end a start or
// keep other documents from loading.
func (c *composer) withMirror(t trust, spec Spec, opts LoadOptions) (*composer, trust) {
	if slices.ContainsFunc(c.problems, func(err error) bool { return !isWarning(err) }) {
		return c, t
	}
	const path = "spec.trustedRoot.tuf"
	material, absent, err := opts.Mirrors.look(c.root.mirror)
	if err != nil {
		c.mistake(path, err.Error(), "")
		return c, t
	}
	if absent == "" {
		with := newComposer(spec, opts)
		with.root = trustedRoot{material: material, mirror: c.root.mirror}
		composed := with.composeFrom()
		at := slices.IndexFunc(with.problems, func(err error) bool { return !isWarning(err) })
		if at < 0 {
			return with, composed
		}
		absent = "the trusted root of the TUF mirror " + c.root.mirror.Mirror + " does not fit"
		if misfit, ok := errors.AsType[*oci.FieldError](with.problems[at]); ok {
			c.warn(misfit.Path, absent+": "+misfit.Message, misfit.Hint)
		}
	}
	t.absent, t.askLog = absent, ""
	return c, t
}
