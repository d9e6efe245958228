package policy

// relation compares two sequences in which some elements are stars, which stand
// for any number of elements, none included. It serves names (elements and
// "**") and elements (characters and "*") alike.
type relation[T any] struct {
	star func(T) bool
	// same compares two elements of which none is a star.
	same func(a, b T) bool
}

// overlap reports whether some sequence matches both a and b.
func (r relation[T]) overlap(a, b []T) bool {
	return r.walk(a, b, func(at, bt T) (skipA, skipB bool) { return r.star(at), r.star(bt) })
}

// cover reports whether each sequence that matches b matches a. It errs only
// towards false: what several stars of b can do together is not looked at.
func (r relation[T]) cover(a, b []T) bool {
	return r.walk(a, b, func(at, _ T) (skipA, skipB bool) { return r.star(at), false })
}

// walk asks whether a and b can be consumed together. A star of one side, as far
// as stars says, consumes elements of the other. Each pair of positions is
// visited once.
func (r relation[T]) walk(a, b []T, stars func(a, b T) (bool, bool)) bool {
	// reach[j] is whether a[i:] and b[j:] go together, for the i of the loop.
	var nothing T
	reach := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		next := reach
		reach = make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			aLeft, bLeft := i < len(a), j < len(b)
			at, bt := nothing, nothing
			if aLeft {
				at = a[i]
			}
			if bLeft {
				bt = b[j]
			}
			skipA, skipB := stars(at, bt)
			switch {
			case !aLeft && !bLeft:
				reach[j] = true
			case aLeft && skipA:
				reach[j] = next[j] || bLeft && reach[j+1]
			case bLeft && skipB:
				reach[j] = reach[j+1] || aLeft && next[j]
			case aLeft && bLeft && !r.star(at) && !r.star(bt):
				reach[j] = r.same(at, bt) && next[j+1]
			}
		}
	}
	return reach[0]
}

var characters = relation[byte]{
	star: func(c byte) bool { return c == '*' },
	same: func(a, b byte) bool { return a == b },
}

func isAnyElements(element string) bool { return element == anyElements }

// overlaps reports whether some name matches both.
func (g glob) overlaps(other glob) bool {
	names := relation[string]{star: isAnyElements, same: func(a, b string) bool {
		return characters.overlap([]byte(a), []byte(b))
	}}
	return names.overlap(g.elements, other.elements)
}

// covers reports whether each name that matches other matches g.
func (g glob) covers(other glob) bool {
	names := relation[string]{star: isAnyElements, same: func(a, b string) bool {
		return characters.cover([]byte(a), []byte(b))
	}}
	return names.cover(g.elements, other.elements)
}
