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

// nextPage returns where the next page of what came from base is: base with the
// query of the link, which may move nothing else. A link of the other scheme at
// the same host is taken for that too: a registry behind something that speaks
// TLS for it does not know its own. found is false without a link, allowed false
// when it leads elsewhere.
func nextPage(base *url.URL, values []string) (next *url.URL, found, allowed bool) {
	target := nextLink(values)
	if target == "" {
		return nil, false, false
	}
	reference, err := url.Parse(target)
	if err != nil || reference.User != nil {
		return nil, true, false
	}
	named := base.ResolveReference(reference)
	if !sameHost(named, base) || named.EscapedPath() != base.EscapedPath() {
		return nil, true, false
	}
	page := *base
	page.RawQuery, page.ForceQuery = named.RawQuery, false
	page.Fragment, page.RawFragment = "", ""
	return &page, true, true
}

// sameHost reports whether two URLs of http or https name one host and port, the
// port of each scheme left out standing for the other's.
func sameHost(a, b *url.URL) bool {
	bare := func(u *url.URL) string {
		o := originOf(u)
		return strings.TrimSuffix(o.hostPort, ":"+defaultPort(o.scheme))
	}
	web := func(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" }
	return web(a) && web(b) && (originOf(a).hostPort == originOf(b).hostPort || bare(a) == bare(b))
}
