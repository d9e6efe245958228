package verify

import (
	"slices"
	"strconv"
	"time"

	"vouchsafe/oci"
)

// composer checks one spec and composes its trust, with every mistake that it
// finds on the way.
type composer struct {
	spec  Spec
	files Files
	now   time.Time
	// root is where what the spec does not hold itself comes from.
	root     trustedRoot
	problems []error
}

func newComposer(spec Spec, opts LoadOptions) *composer {
	c := &composer{spec: spec, files: opts.Files}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c.now = opts.Now()
	return c
}

// compose returns the trust, which must not be used when a mistake was found.
func (c *composer) compose() trust {
	if len(c.spec.PublicKeys) == 0 && len(c.spec.Certificates) == 0 {
		c.mistake("spec.publicKeys", "an integration needs at least one public key or certificate", "paste the text of cosign.pub")
	}
	c.root = c.trustedRoot()
	return c.composeFrom()
}

// composeFrom is compose with the trusted root that is set.
func (c *composer) composeFrom() trust {
	t := trust{mirror: c.root.mirror, keys: c.publicKeys(), name: c.nameRule(), signatures: c.signatureRepository()}
	c.transparencyLog(&t)
	c.timestampAuthority(&t)
	c.certificates(&t)
	c.unusedRoot()
	return t
}

// readsTime reports whether when a signature was made can matter, so that log
// entries and tokens are read although nothing demands them.
func (c *composer) readsTime() bool {
	return len(c.spec.Certificates) > 0 || slices.ContainsFunc(c.spec.PublicKeys, func(k PublicKeySpec) bool {
		return k.NotBefore != "" || k.NotAfter != ""
	})
}

func (c *composer) demandsLog() bool {
	return c.spec.TransparencyLog != nil && c.spec.TransparencyLog.Enabled
}

func (c *composer) demandsToken() bool {
	return c.spec.TimestampAuthority != nil && c.spec.TimestampAuthority.Enabled
}

// mistake records one that keeps the spec from loading.
func (c *composer) mistake(path, message, hint string) {
	c.problems = append(c.problems, &oci.FieldError{Path: path, Message: message, Hint: hint})
}

// warn records a remark.
func (c *composer) warn(path, message, hint string) {
	c.problems = append(c.problems, &oci.FieldError{Path: path, Message: message, Hint: hint, Warning: true})
}

// adopt records what a parser has found at path; it reports whether that is
// nothing.
func (c *composer) adopt(path string, problem *oci.FieldError) bool {
	if problem == nil {
		return true
	}
	problem.Path = path
	c.problems = append(c.problems, problem)
	return false
}

// item is the path of an item of a list.
func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
