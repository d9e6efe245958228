package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns s with every character that does not print written as \uXXXX,
// so that untrusted text can neither move a cursor nor turn the direction of a
// line. Invalid UTF-8 becomes \xXX. Text that is plain is returned unchanged.
func Escape(s string) string { return escape(s, false) }

// escape is [Escape]; lines keeps line feeds, for whole documents.
func escape(s string, lines bool) string {
	keep := func(r rune) bool { return unicode.IsPrint(r) || lines && r == '\n' }
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !keep(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case keep(r):
			b.WriteRune(r)
		case r > 0xffff:
			// A pair of surrogates, since this is also the form of JSON.
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}
