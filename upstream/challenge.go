package upstream

import (
	"net/url"
	"strings"
)

// Ceilings of what a registry may say in WWW-Authenticate.
const (
	maxChallengeBytes  = 8 << 10
	maxChallenges      = 8
	maxChallengeParams = 16
)

// challenge is one challenge of a WWW-Authenticate header (RFC 9110, section
// 11.6.1), untrusted.
type challenge struct {
	// scheme and the names of params are in lower case.
	scheme string
	params map[string]string
}

// parseChallenges reads every value of the header. A value that breaks the
// grammar, names a parameter twice or goes over a ceiling gives nothing, since
// two programs could read two realms in it.
func parseChallenges(values []string) []challenge {
	var all []challenge
	total := 0
	for _, value := range values {
		if total += len(value); total > maxChallengeBytes {
			break
		}
		p := &headerParser{rest: value}
		if found, ok := p.challenges(); ok {
			all = append(all, found...)
		}
		if len(all) >= maxChallenges {
			return all[:maxChallenges]
		}
	}
	return all
}

// challenges reads one whole value.
func (p *headerParser) challenges() ([]challenge, bool) {
	var all []challenge
	for p.separators(); p.rest != ""; p.separators() {
		scheme, ok := p.token()
		if !ok || len(all) == maxChallenges {
			return nil, false
		}
		c := challenge{scheme: strings.ToLower(scheme), params: map[string]string{}}
		if !p.params(c.params) {
			return nil, false
		}
		all = append(all, c)
	}
	return all, true
}

// params reads the parameters of one challenge into found, and stops before the
// scheme of the next.
func (p *headerParser) params(found map[string]string) bool {
	if p.rest == "" || p.rest[0] == ',' {
		return true
	}
	if !p.spaces() {
		return false
	}
	for first := true; ; first = false {
		before := p.rest
		if !first && !p.separators() {
			return p.rest == ""
		}
		name, ok := p.token()
		if !ok {
			return p.rest == ""
		}
		if !p.equals() {
			// A word without value begins the next challenge, but only behind a
			// comma: behind the scheme it is a token68, which no scheme that we
			// know has.
			p.rest = before
			return !first
		}
		value, ok := p.tokenOrQuoted()
		name = strings.ToLower(name)
		if _, twice := found[name]; !ok || twice || len(found) == maxChallengeParams {
			return false
		}
		found[name] = value
		p.spaces()
	}
}

// bearer is a challenge for a token (Docker Registry token authentication).
type bearer struct {
	realm   *url.URL
	service string
}

// bearer returns what c says about its token service; false when c is no such
// challenge or its realm is no URL that could ever be asked.
func (c challenge) bearer() (bearer, bool) {
	if c.scheme != "bearer" {
		return bearer{}, false
	}
	u, err := url.Parse(c.params["realm"])
	if err != nil || u.Opaque != "" || u.User != nil || u.Hostname() == "" || !usablePort(u.Port()) {
		return bearer{}, false
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return bearer{}, false
	}
	u.Fragment, u.RawFragment = "", ""
	return bearer{realm: u, service: c.params["service"]}, true
}

// same reports whether two challenges name one service.
func (b bearer) same(other bearer) bool {
	return b.realm != nil && other.realm != nil && b.realm.String() == other.realm.String() && b.service == other.service
}
