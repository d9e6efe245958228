package upstream

import (
	"net/url"
	"strings"
)

const (
	maxLinkBytes  = 8 << 10
	maxLinks      = 16
	maxLinkParams = 16
)

// nextLink returns the target of the first link with the relation "next" (RFC
// 8288) in the values of a Link header, untrusted; "" when there is none or the
// value breaks the grammar or a ceiling.
func nextLink(values []string) string {
	total := 0
	for _, value := range values {
		if total += len(value); total > maxLinkBytes {
			return ""
		}
		p := &headerParser{rest: value}
		p.separators()
		for range maxLinks {
			target, next, ok := p.link()
			if !ok {
				break
			}
			if next {
				return target
			}
			p.separators()
		}
	}
	return ""
}

// link reads one link and whether its relation is "next".
func (p *headerParser) link() (target string, next, ok bool) {
	after, ok := strings.CutPrefix(p.rest, "<")
	if !ok {
		return "", false, false
	}
	target, p.rest, ok = strings.Cut(after, ">")
	if !ok {
		return "", false, false
	}
	for range maxLinkParams {
		p.spaces()
		after, more := strings.CutPrefix(p.rest, ";")
		if !more {
			return target, next, true
		}
		p.rest = after
		p.spaces()
		name, ok := p.token()
		if !ok {
			return "", false, false
		}
		if !p.equals() {
			continue
		}
		value, ok := p.tokenOrQuoted()
		if !ok {
			return "", false, false
		}
		if strings.EqualFold(name, "rel") {
			for relation := range strings.FieldsSeq(value) {
				next = next || strings.EqualFold(relation, "next")
			}
		}
	}
	return "", false, false
}

// nextPage returns where the next page of what came from base is: only at the
// same scheme, host and path, so that a link can move nothing but the query.
// found is false without a link, allowed false when it leads elsewhere.
func nextPage(base *url.URL, values []string) (next *url.URL, found, allowed bool) {
	target := nextLink(values)
	if target == "" {
		return nil, false, false
	}
	reference, err := url.Parse(target)
	if err != nil || reference.User != nil {
		return nil, true, false
	}
	next = base.ResolveReference(reference)
	next.Fragment, next.RawFragment = "", ""
	if originOf(next) != originOf(base) || next.EscapedPath() != base.EscapedPath() {
		return nil, true, false
	}
	return next, true, true
}
