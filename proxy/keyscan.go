package proxy

import (
	"strings"
	"unicode/utf8"
)

// keyBytes is more than any spelling of a name in [manifestFields] has: nine
// letters, of which each folds from three bytes at most.
const keyBytes = 32

// keyScan looks, as bytes pass, for the fields that make a manifest of a JSON
// object: what is too large to be read whole must not be one for a reader that
// takes more. It knows only strings and depth, so that nothing that some reader
// refuses makes it blind. Bytes of zero do not count, so that it sees ASCII in 16
// and 32 bits too. It has a fixed size; the zero value is at the beginning.
type keyScan struct {
	// begun is true behind the first byte that is not lead, plain when that was
	// not the beginning of an object: then nothing is looked at.
	begun, plain bool
	// depth is how many objects and lists are open.
	depth int64
	// quoted is true inside a string, escaped behind a backslash in one; hex is
	// how many digits of an escaped rune are still to come.
	quoted, escaped bool
	hex             int
	rune            rune
	// key[:size] is the string at the top level, long when it is no name of ours.
	key  [keyBytes]byte
	size int
	long bool
	// named is true behind a string that is one of the names, until a colon makes
	// it the name of a field.
	named bool
	found bool
}

// lead reports whether c may stand in front of JSON: white space, and what byte
// order marks and wider encodings put there.
func lead(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', 0, 0xef, 0xbb, 0xbf, 0xfe, 0xff:
		return true
	}
	return false
}

// see goes on with the next bytes. It returns true as soon as, and ever after, a
// field of a manifest was seen at the top level.
func (s *keyScan) see(b []byte) bool {
	for _, c := range b {
		if s.plain || s.found {
			break
		}
		s.next(c)
	}
	return s.found
}

func (s *keyScan) next(c byte) {
	switch {
	case !s.begun && lead(c) || c == 0:
	case !s.begun:
		s.begun, s.plain = true, c != '{'
		s.depth = 1
	case s.quoted:
		s.inString(c)
	default:
		s.outside(c)
	}
}

func (s *keyScan) outside(c byte) {
	switch c {
	case ' ', '\t', '\r', '\n':
		return
	case ':':
		s.found = s.found || s.named
	case '"':
		s.quoted, s.size, s.long = true, 0, s.depth > 1
	case '{', '[':
		s.depth++
	case '}', ']':
		s.depth = max(0, s.depth-1)
	}
	s.named = false
}

func (s *keyScan) inString(c byte) {
	switch {
	case s.hex > 0:
		s.digit(c)
	case s.escaped:
		s.escaped = false
		if c == 'u' {
			s.hex, s.rune = 4, 0
			return
		}
		// None of the others stands for a letter. Who ignores the backslash reads
		// one, though.
		s.put(c)
	case c == '\\':
		s.escaped = true
	case c == '"':
		s.quoted = false
		s.named = !s.long && isManifestField(string(s.key[:s.size]))
	default:
		s.put(c)
	}
}

// digit reads one digit of an escaped rune. What is none ends the escape, and is
// read for what it is: no mistake may hide where the string ends.
func (s *keyScan) digit(c byte) {
	var value byte
	switch {
	case '0' <= c && c <= '9':
		value = c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		value = c | 0x20 - 'a' + 10
	default:
		s.hex, s.long = 0, true
		s.inString(c)
		return
	}
	s.rune = s.rune<<4 | rune(value)
	if s.hex--; s.hex == 0 {
		var text [utf8.UTFMax]byte
		for _, c := range text[:utf8.EncodeRune(text[:], s.rune)] {
			s.put(c)
		}
	}
}

func (s *keyScan) put(c byte) {
	if s.long = s.long || s.size == keyBytes; !s.long {
		s.key[s.size] = c
		s.size++
	}
}

// manifestFields are the fields that make a manifest or an index of an object.
var manifestFields = [...]string{"layers", "manifests", "config"}

// isManifestField compares as encoding/json does: also "layer\u017f" is "layers".
func isManifestField(name string) bool {
	for _, wanted := range manifestFields {
		if strings.EqualFold(name, wanted) {
			return true
		}
	}
	return false
}
