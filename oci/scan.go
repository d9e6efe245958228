package oci

import (
	"bytes"
	"strings"
)

// maxFields bounds the names in all objects of a document together, since each
// costs more memory here than it takes bytes on the wire.
const maxFields = 1 << 16

// scanner walks a JSON text (RFC 8259) once, strictly: what is legal but read
// in different ways by different programs is an error. The text must be valid
// UTF-8. Every method leaves at behind what it has read.
type scanner struct {
	text   []byte
	at     int
	depth  int
	fields int
	// keys holds the names met so far in each open object, innermost last.
	keys [][]byte
}

// space moves to the next byte that is no white space and returns it, or 0 at
// the end. A zero byte in the text is no token either.
func (s *scanner) space() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// expect moves behind the token c.
func (s *scanner) expect(c byte) error {
	if s.space() != c {
		return s.syntax()
	}
	s.at++
	return nil
}

func (s *scanner) syntax() error {
	return invalid("not_json", "no JSON at byte %d", s.at)
}

// enter opens an object or array.
func (s *scanner) enter() error {
	s.at++
	s.depth++
	if s.depth > MaxManifestDepth {
		return invalid("too_deep", "nests deeper than %d", MaxManifestDepth)
	}
	return nil
}

// more reports whether another element follows and moves to it; behind the
// last one it closes the object or array.
func (s *scanner) more(first bool, end byte) (bool, error) {
	switch c := s.space(); {
	case c == end:
		s.at++
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.at++
		return true, nil
	}
	return false, s.syntax()
}

// object reads an object. It calls field with each name, decoded; field must
// read the value.
func (s *scanner) object(field func(name []byte) error) error {
	if s.space() != '{' {
		return s.unexpected("an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	names := nameSet{scanner: s, base: len(s.keys)}
	for first := true; ; first = false {
		if more, err := s.more(first, '}'); !more {
			s.keys = s.keys[:names.base]
			return err
		}
		name, err := s.name()
		if err != nil {
			return err
		}
		if err := names.add(name); err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := field(name); err != nil {
			return err
		}
	}
}

// name reads the name of a field.
func (s *scanner) name() ([]byte, error) {
	if s.space() != '"' {
		return nil, s.syntax()
	}
	name, err := s.string()
	if err != nil {
		return nil, err
	}
	// A reader with terminated strings would see another, shorter name.
	if bytes.IndexByte(name, 0) >= 0 {
		return nil, invalid("ambiguous", "the field name %.80q has a zero byte", name)
	}
	if s.fields++; s.fields > maxFields {
		return nil, invalid("too_many", "more than %d fields", maxFields)
	}
	return name, nil
}

// array reads an array. It calls element before each element; element must
// read it.
func (s *scanner) array(element func() error) error {
	if s.space() != '[' {
		return s.unexpected("an array")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		if more, err := s.more(first, ']'); !more {
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// skip reads any value.
func (s *scanner) skip() error {
	switch c := s.space(); c {
	case '{':
		return s.object(func([]byte) error { return s.skip() })
	case '[':
		return s.array(s.skip)
	case '"':
		_, err := s.string()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		_, err := s.number()
		return err
	}
}

// unexpected is the error for a value that is not what it has to be.
func (s *scanner) unexpected(wanted string) error {
	if err := s.skip(); err != nil {
		return err
	}
	return invalid("schema", "no value of the right type at byte %d: wanted %s", s.at, wanted)
}

// word moves behind a literal name.
func (s *scanner) word(word string) error {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return s.syntax()
	}
	s.at += len(word)
	return nil
}

// number reads a number and returns its characters.
func (s *scanner) number() ([]byte, error) {
	s.space()
	start := s.at
	s.one("-")
	if !s.one("0") && s.digits() == 0 {
		return nil, s.syntax()
	}
	if s.one(".") && s.digits() == 0 {
		return nil, s.syntax()
	}
	if s.one("eE") {
		s.one("+-")
		if s.digits() == 0 {
			return nil, s.syntax()
		}
	}
	return s.text[start:s.at], nil
}

// one moves behind the next byte if it is in set.
func (s *scanner) one(set string) bool {
	if s.at == len(s.text) || strings.IndexByte(set, s.text[s.at]) < 0 {
		return false
	}
	s.at++
	return true
}

// digits moves behind all digits and returns how many there were.
func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}
