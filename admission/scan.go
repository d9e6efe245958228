package admission

import "encoding/json"

// text reads the rest of a string, its closing quote included, and hands it on in
// pieces.
func (s *reducer) text(piece func([]byte)) {
	escaped := false
	for s.fill() {
		b := s.chunk[s.at:s.have]
		for i, c := range b {
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				s.at += i + 1
				piece(b[:i+1])
				return
			}
		}
		s.at = s.have
		piece(b)
	}
	s.fail("a text has no end")
}

func nothing([]byte) {}

// scalar keeps a text, a number or a word. One that has no room is left out.
func (s *reducer) scalar(n *node, c byte) {
	begin := len(s.out)
	full := false
	piece := func(b []byte) {
		if full = full || len(s.out)+len(b) > maxKept; !full {
			s.keep(b...)
		}
	}
	if c == '"' {
		s.at++
		s.keep('"')
		s.text(piece)
	} else {
		s.word(piece)
	}
	if full {
		s.excess = true
		s.out = append(s.out[:begin], `""`...)
		return
	}
	if n.uid && s.uid == "" && len(s.out)-begin <= maxUID {
		// Of another kind it is none, which reading it says.
		_ = json.Unmarshal(s.out[begin:], &s.uid)
	}
}

// word reads a number or a word.
func (s *reducer) word(piece func([]byte)) {
	for length := 0; s.fill(); {
		b := s.chunk[s.at:s.have]
		for i, c := range b {
			switch c {
			case ',', ']', '}', ':', '"', '[', '{', ' ', '\t', '\r', '\n':
				if length+i == 0 {
					s.fail("a value is missing")
					return
				}
				s.at += i
				piece(b[:i])
				return
			}
		}
		s.at = s.have
		length += len(b)
		piece(b)
	}
}

// skip reads a value that begins with c and keeps nothing of it.
func (s *reducer) skip(c byte) {
	if c != '{' && c != '[' {
		if c == '"' {
			s.at++
			s.text(nothing)
			return
		}
		s.word(nothing)
		return
	}
	s.stack = s.stack[:0]
	for s.fill() {
		c, s.at = s.chunk[s.at], s.at+1
		switch c {
		case '"':
			s.text(nothing)
		case '{', '[':
			if len(s.stack) == maxDepth {
				s.fail("it is nested too deeply")
				return
			}
			s.stack = append(s.stack, c+2) // Its closing bracket, in ASCII.
		case '}', ']':
			if s.stack[len(s.stack)-1] != c {
				s.fail("brackets do not match")
				return
			}
			if s.stack = s.stack[:len(s.stack)-1]; len(s.stack) == 0 {
				return
			}
		}
	}
	s.fail("it ends too early")
}
