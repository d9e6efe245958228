package history

import (
	"slices"
	"strconv"
	"strings"
)

// statuses are all that the gateway's contract has for a pull.
var statuses = []int{200, 206, 304, 400, 401, 403, 404, 405, 416, 429, 502, 503, 504}

// status is I3: errors are told apart, and each says the truth.
func (c *checker) status(x Exchange) {
	if x.Left {
		return
	}
	if x.Status == 0 {
		if !slices.Contains(x.Want, 0) {
			c.on(x, "I3", "no answer: %s", x.Problem)
		}
		return
	}
	switch {
	case !slices.Contains(statuses, x.Status):
		c.on(x, "I3", "no status of the contract: %.200s", x.Text)
	case len(x.Want) > 0 && !slices.Contains(x.Want, x.Status):
		c.on(x, "I3", "allowed were %v: %.300s", x.Want, x.Text)
	case x.success() && !x.Clean && len(x.Want) > 0 && !x.Broken:
		c.on(x, "I3", "the body broke off (%s), and nothing was wrong with it", x.Problem)
	case !x.success() && !x.Clean:
		c.on(x, "I3", "the refusal broke off: %s", x.Problem)
	}
	if (x.Status == 429 || x.Status == 503) && !wholeSeconds(x.RetryAfter) {
		c.on(x, "I3", "Retry-After is %q", x.RetryAfter)
	}
	if x.Status >= 400 && x.Method != "HEAD" && x.Clean && x.Code == "" {
		c.on(x, "I3", "the refusal has no error of the specification: %.200s", x.Text)
	}
	if x.Status == 404 && !c.upstreamSaidSo(x) {
		c.on(x, "I3", "the upstream never said that")
	}
	if x.Status == 403 && x.Code == "DENIED" {
		c.denial(x)
	}
}

// denial says that a denial is one: with a decision, against the image.
func (c *checker) denial(x Exchange) {
	r, known := c.records[x.Decision]
	switch {
	case x.Decision == "":
		c.on(x, "I3", "a denial without a decision")
	case known && r.Verdict != "Deny":
		c.on(x, "I3", "a denial by a decision that is %s", r.Verdict)
	}
	if x.Content == Manifest && known && c.h.World.Trusted[x.Repository][r.Digest] {
		c.on(x, "I3", "%s is trusted and was denied", r.Digest)
	}
}

// wholeSeconds reports whether a Retry-After names a number of seconds.
func wholeSeconds(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n >= 0
}

// upstreamSaidSo reports whether a 404 is the upstream's own, or the registry's
// that nobody listed.
func (c *checker) upstreamSaidSo(x Exchange) bool {
	registry, path, _ := strings.Cut(x.Repository, "/")
	if c.h.World.Unlisted[registry] {
		return true
	}
	return slices.ContainsFunc(c.h.Contacts, func(y Contact) bool {
		return y.Status == 404 && y.Cell == x.Cell && !y.At.After(x.Done) &&
			strings.HasPrefix(y.Path, "/v2/"+path+"/") && strings.HasSuffix(y.Path, "/"+x.Reference)
	})
}
