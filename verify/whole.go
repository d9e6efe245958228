package verify

import (
	"fmt"
	"regexp"
)

// maxExpression bounds an expression's text.
const maxExpression = 1024

// wholeExpression is a regular expression (RE2) that matches whole texts alone.
// The zero value matches nothing.
type wholeExpression struct {
	source string
	whole  *regexp.Regexp
	// part is the same expression without its ends, to say that it matched a part.
	part *regexp.Regexp
}

// newWholeExpression compiles source. The error is for the one who wrote it.
func newWholeExpression(source string) (wholeExpression, error) {
	if len(source) > maxExpression {
		return wholeExpression{}, fmt.Errorf("longer than %d characters", maxExpression)
	}
	// On its own first: "a)|(?:b" is no expression, but would be one inside a
	// group, and then match more than it says.
	part, err := regexp.Compile(source)
	if err != nil {
		return wholeExpression{}, err
	}
	whole, err := regexp.Compile(`\A(?:` + source + `)\z`)
	if err != nil {
		return wholeExpression{}, err
	}
	return wholeExpression{source: source, whole: whole, part: part}, nil
}

func (e wholeExpression) matches(text string) bool {
	return e.whole != nil && e.whole.MatchString(text)
}

// matchesPart reports whether the expression would match, were it not for the
// whole text.
func (e wholeExpression) matchesPart(text string) bool {
	return e.part != nil && !e.matches(text) && e.part.MatchString(text)
}
