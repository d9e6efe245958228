package verify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// maxQuoted bounds what a message repeats of somebody else's text, in characters.
const maxQuoted = 160

var errPanic = errors.New("it makes a parser fail")

// quote quotes text, shortened in the end.
func quote(text string) string {
	if runes := []rune(text); len(runes) > maxQuoted {
		text = string(runes[:maxQuoted]) + "…"
	}
	return strconv.Quote(text)
}

// clean makes one short printable line of text.
func clean(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if len(runes) > maxQuoted {
		return string(runes[:maxQuoted]) + "…"
	}
	return string(runes)
}

// differ says where found leaves wanted, counting characters from 1, and how many
// characters they have in common.
func differ(what, found, wanted string) (message string, same int) {
	f, w := []rune(found), []rune(wanted)
	for same < len(f) && same < len(w) && f[same] == w[same] {
		same++
	}
	return fmt.Sprintf("%s differs from character %d: found %s, wanted %s", what, same+1, around(f, same), around(w, same)), same
}

// around quotes the part of a long text where it begins to differ.
func around(text []rune, at int) string {
	const before = 60
	if len(text) <= maxQuoted || at < before {
		return quote(string(text))
	}
	return quote("…" + string(text[at-before:]))
}

// unlike says how what fails m, and how near it is.
func (m matcher) unlike(what, found string) (message string, near int) {
	switch {
	case m.exact != "":
		return differ(what, found, m.exact)
	case m.expression.matchesPart(found):
		return fmt.Sprintf("%s %s: %s matches a part only: expressions match the whole string", what, quote(found), quote(m.expression.source)), 1
	}
	return fmt.Sprintf("%s %s does not match %s", what, quote(found), quote(m.expression.source)), 0
}
