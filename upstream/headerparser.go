package upstream

import "strings"

// headerParser reads the grammar that WWW-Authenticate and Link share: tokens,
// quoted strings and commas (RFC 9110, section 5.6).
type headerParser struct{ rest string }

// spaces skips blanks and reports whether there was one.
func (p *headerParser) spaces() bool {
	trimmed := strings.TrimLeft(p.rest, " \t")
	skipped := len(trimmed) < len(p.rest)
	p.rest = trimmed
	return skipped
}

// separators skips blanks and commas and reports whether there was a comma.
func (p *headerParser) separators() bool {
	trimmed := strings.TrimLeft(p.rest, " \t,")
	comma := strings.Contains(p.rest[:len(p.rest)-len(trimmed)], ",")
	p.rest = trimmed
	return comma
}

// equals skips "=" with blanks around it.
func (p *headerParser) equals() bool {
	p.spaces()
	after, ok := strings.CutPrefix(p.rest, "=")
	if ok {
		p.rest = after
		p.spaces()
	}
	return ok
}

// token reads a token of at least one character.
func (p *headerParser) token() (string, bool) {
	n := 0
	for n < len(p.rest) && isTokenChar(p.rest[n]) {
		n++
	}
	token := p.rest[:n]
	p.rest = p.rest[n:]
	return token, n > 0
}

// tokenOrQuoted reads a token or a quoted string with its escapes.
func (p *headerParser) tokenOrQuoted() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		return p.token()
	}
	var text strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == '"':
			p.rest = p.rest[i+1:]
			return text.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			c = p.rest[i]
		}
		if c < ' ' || c == 0x7f {
			return "", false
		}
		text.WriteByte(c)
	}
	return "", false
}

func isTokenChar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
