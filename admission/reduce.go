package admission

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

const (
	// maxReview is the most that is read of a review, in bytes. The API server takes
	// requests of 3 MiB, writes one byte of them as six (`<` is \u003c), and sends
	// two objects, so 36 MiB; the rest is for what it adds itself.
	maxReview = 40 << 20
	// maxKept bounds what is kept of a review, in bytes of JSON.
	maxKept = 8 << 20
	// maxParts is how many containers and volumes an object may have: far more than
	// a node runs.
	maxParts = 10_000
	// maxDepth is as deep as the API server's own reader goes.
	maxDepth = 10_000
	// maxKey is longer than any name that is kept, each letter escaped.
	maxKey = 256
)

// reducer reads a review as it arrives and writes down what [kept] names of it. What
// is left out is never in memory, so that a large object costs time, not space.
type reducer struct {
	in       io.Reader
	chunk    []byte
	at, have int
	out      []byte
	// grow is asked once, when more than keptBuffer is kept.
	grow  func() error
	grown bool
	uid   string
	parts int
	// excess is set when something was left out for its size that should be read.
	excess bool
	key    [maxKey]byte
	stack  []byte
	err    error
}

// run reads the one value that there is, and the space behind it.
func (s *reducer) run() error {
	s.value(kept)
	if _, more := s.token(); more {
		s.fail("there is something behind the review")
	}
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

func (s *reducer) fail(why string) {
	if s.err == nil || errors.Is(s.err, io.EOF) {
		s.err = refuse(http.StatusBadRequest, "the review cannot be read: %s", why)
	}
	s.at, s.have = 0, 0
}

// fill gets more to read; false at the end, or when something went wrong.
func (s *reducer) fill() bool {
	for s.at == s.have {
		if s.err != nil {
			return false
		}
		n, err := s.in.Read(s.chunk)
		s.at, s.have, s.err = 0, n, err
	}
	return true
}

// token returns the next byte that is no space, without taking it.
func (s *reducer) token() (byte, bool) {
	for s.fill() {
		for ; s.at < s.have; s.at++ {
			switch c := s.chunk[s.at]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, true
			}
		}
	}
	return 0, false
}

// take takes the next byte that is no space.
func (s *reducer) take() byte {
	c, ok := s.token()
	if !ok {
		s.fail("it ends too early")
		return 0
	}
	s.at++
	return c
}

// stop ends the reading with an error.
func (s *reducer) stop(err error) { s.err, s.at, s.have = err, 0, 0 }

// keep writes down b.
func (s *reducer) keep(b ...byte) {
	size := len(s.out) + len(b)
	if size > maxKept+maxKept/8 {
		// Names that are there again and again, which the API server never sends.
		s.stop(refuse(http.StatusRequestEntityTooLarge, "what is read of a review has at most %d bytes", maxKept))
		return
	}
	if size > keptBuffer && !s.grown {
		s.grown = true
		if err := s.grow(); err != nil {
			s.stop(err)
			return
		}
	}
	s.out = append(s.out, b...)
}

// value reads one value and keeps what n names of it; nil keeps nothing.
func (s *reducer) value(n *node) {
	c, ok := s.token()
	switch {
	case !ok:
		s.fail("it ends too early")
	case n == nil:
		s.skip(c)
	case c == '{' && n.members != nil:
		s.object(n)
	case c == '[' && n.elements != nil:
		s.list(n.elements)
	case c == '{':
		s.keep('{', '}') // Of the wrong kind, which reading it says.
		s.skip(c)
	case c == '[':
		s.keep('[', ']')
		s.skip(c)
	default:
		s.scalar(n, c)
	}
}

func (s *reducer) object(n *node) {
	if n.whole {
		s.parts = 0
	}
	s.at++
	s.keep('{')
	for first, wrote := true, false; ; first = false {
		c := s.take()
		if c == '}' && first {
			break
		}
		if c != '"' {
			s.fail("a name is missing")
			return
		}
		name := s.name()
		child := n.members[string(name)]
		if child != nil {
			if wrote {
				s.keep(',')
			}
			wrote = true
			s.keep('"')
			s.keep(name...)
			s.keep('"', ':')
		}
		if s.take() != ':' {
			s.fail("a colon is missing")
			return
		}
		s.value(child)
		if c = s.take(); c == '}' {
			break
		}
		if c != ',' {
			s.fail("a comma is missing")
			return
		}
	}
	s.keep('}')
}

func (s *reducer) list(n *node) {
	s.at++
	s.keep('[')
	if c, _ := s.token(); c == ']' {
		s.at++
		s.keep(']')
		return
	}
	for wrote := false; ; {
		one := n
		if s.parts++; s.parts > maxParts || len(s.out) > maxKept {
			s.excess, one = true, nil
		} else {
			if wrote {
				s.keep(',')
			}
			wrote = true
		}
		s.value(one)
		c := s.take()
		if c == ']' {
			break
		}
		if c != ',' {
			s.fail("a comma is missing")
			return
		}
	}
	s.keep(']')
}

// name reads the rest of a member's name, as it is meant: letters may be escaped. A
// name that is longer than any of ours is returned empty.
func (s *reducer) name() []byte {
	n, escaped := 0, false
	s.text(func(b []byte) {
		for _, c := range b {
			escaped = escaped || c == '\\'
			if n < maxKey {
				s.key[n] = c
			}
			n++
		}
	})
	if n--; n < 0 || n >= maxKey { // Without the closing quote.
		return nil
	}
	if !escaped {
		return s.key[:n]
	}
	var plain string
	quoted := make([]byte, 0, maxKey+2)
	quoted = append(append(append(quoted, '"'), s.key[:n]...), '"')
	if json.Unmarshal(quoted, &plain) != nil {
		s.fail("a name cannot be read")
	}
	return []byte(plain)
}
