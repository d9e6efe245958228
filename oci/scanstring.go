package oci

import (
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string and returns it decoded. The result is part of the text
// unless the string has escapes.
func (s *scanner) string() ([]byte, error) {
	s.at++
	start := s.at
	var decoded []byte
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			span := s.text[start:s.at]
			s.at++
			if decoded == nil {
				return span, nil
			}
			return append(decoded, span...), nil
		case c < ' ':
			return nil, s.syntax()
		case c != '\\':
			s.at++
		default:
			decoded = append(decoded, s.text[start:s.at]...)
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			decoded = utf8.AppendRune(decoded, r)
			start = s.at
		}
	}
	return nil, s.syntax()
}

// escape reads one escape sequence, a pair of surrogates as one.
func (s *scanner) escape() (rune, error) {
	s.at++
	if s.at == len(s.text) {
		return 0, s.syntax()
	}
	c := s.text[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return s.unicodeEscape()
	}
	return 0, s.syntax()
}

// unicodeEscape reads what stands behind \u. Half of a surrogate pair is an
// error: some readers replace it, some keep it, some stop.
func (s *scanner) unicodeEscape() (rune, error) {
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !s.one(`\`) || !s.one("u") {
		return 0, s.syntax()
	}
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.syntax()
	}
	return r, nil
}

func (s *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		if s.at == len(s.text) {
			return 0, s.syntax()
		}
		c := s.text[s.at]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.syntax()
		}
		r = r<<4 | rune(c)
		s.at++
	}
	return r, nil
}
