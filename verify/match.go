package verify

import "strings"

// matches reports whether text is what the matcher wants.
func (m matcher) matches(text string) bool {
	if m.exact != "" {
		return text == m.exact
	}
	return m.expression.matches(text)
}

// String returns what is wanted, for messages.
func (m matcher) String() string {
	if m.exact != "" {
		return m.exact
	}
	return m.expression.source
}

// nameAlias says that signatures that name from count for the image at to, both
// "registry/path". With under, each stands for itself and all under it, and the
// rest has to be the same.
type nameAlias struct {
	from, to string
	under    bool
}

// covers reports whether a signature that names signed counts for the image at
// origin, both "registry/path".
func (a nameAlias) covers(signed, origin string) bool {
	if !a.under {
		return signed == a.from && origin == a.to
	}
	rest, inside := strings.CutPrefix(signed, a.from)
	return inside && (rest == "" || rest[0] == '/') && origin == a.to+rest
}
