package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Normality is how soon after a fault the service must be normal (I6).
const Normality = 10 * time.Second

// settling is how long after a new configuration was seen to be in force an
// answer may still have been on its way.
const settling = 250 * time.Millisecond

// Violation is a broken promise.
type Violation struct {
	// Invariant is I1 to I7, or "once" for a fetch that should have been shared.
	Invariant string
	Cell      string
	Message   string
}

// String is one line.
func (v Violation) String() string { return v.Invariant + " " + v.Cell + ": " + v.Message }

// checker collects what is found.
type checker struct {
	h       History
	records map[string]Record
	found   []Violation
}

// Check returns every broken promise of h, in the order of invariant and cell.
func Check(h History) []Violation {
	c := &checker{h: h, records: map[string]Record{}}
	for _, r := range h.Records {
		if _, twice := c.records[r.ID]; r.ID != "" && !twice {
			c.records[r.ID] = r
		}
	}
	for _, x := range h.Exchanges {
		c.bytes(x)
		c.verdict(x)
		c.blob(x)
		c.revision(x)
		c.status(x)
		c.record(x)
	}
	c.bounds()
	c.recovery()
	c.credentials()
	c.once()
	slices.SortStableFunc(c.found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Invariant, b.Invariant), cmp.Compare(a.Cell, b.Cell))
	})
	return c.found
}

func (c *checker) add(invariant, cell, format string, args ...any) {
	c.found = append(c.found, Violation{Invariant: invariant, Cell: cell, Message: fmt.Sprintf(format, args...)})
}

// on adds a violation about one exchange.
func (c *checker) on(x Exchange, invariant, format string, args ...any) {
	what := fmt.Sprintf("%s %s %s: status %d: ", x.Method, x.Repository, x.Reference, x.Status)
	c.add(invariant, x.Cell, "%s%s", what, fmt.Sprintf(format, args...))
}

// byDigest reports whether a reference is a digest and not a tag.
func byDigest(reference string) bool { return strings.Contains(reference, ":") }

// bytes is I1: no success with a clean end has other bytes than were asked for,
// or than its own digest says.
func (c *checker) bytes(x Exchange) {
	if !x.success() || !x.Clean {
		return
	}
	want := x.Digest
	if byDigest(x.Reference) {
		want = x.Reference
		if x.Digest != "" && x.Digest != want {
			c.on(x, "I1", "the header names %s", x.Digest)
		}
	}
	switch {
	case want == "":
		c.on(x, "I1", "no digest in the header")
	case x.Method != "HEAD" && x.Hash != want:
		c.on(x, "I1", "bytes of %s ended clean as %s", x.Hash, want)
	}
}

// enforced reports whether a policy enforced when x was answered.
func (c *checker) enforced(x Exchange) bool {
	return c.h.World.Enforced[x.Repository] && !x.Answered.Before(c.h.World.EnforcedSince.Add(settling))
}

// verdict is I2 for manifests: in an enforcing repository only what a trusted
// signer vouched for is served, broken ends included.
func (c *checker) verdict(x Exchange) {
	if x.Content != Manifest || !x.success() || !c.enforced(x) {
		return
	}
	trusted := c.h.World.Trusted[x.Repository]
	if x.Digest == "" || !trusted[x.Digest] {
		c.on(x, "I2", "%q was served in an enforcing repository, and nobody vouched for it", x.Digest)
	}
	if x.Method != "HEAD" && x.Clean && !trusted[x.Hash] {
		c.on(x, "I2", "bytes of %s were served in an enforcing repository, and nobody vouched for them", x.Hash)
	}
	if x.Verdict != "Allow" {
		c.on(x, "I2", "served with the verdict %q", x.Verdict)
	}
}

// blob is I2 for blobs: none is served while every manifest that is known to
// list it is denied.
func (c *checker) blob(x Exchange) {
	if x.Content != Blob || !x.success() || !c.enforced(x) {
		return
	}
	known := 0
	for _, manifest := range c.h.World.Listing[x.Repository][x.Reference] {
		if c.h.World.Trusted[x.Repository][manifest] {
			return
		}
		if c.deniedBefore(x, manifest) {
			known++
		}
	}
	if known > 0 {
		c.on(x, "I2", "a blob was served, and every manifest that lists it had been denied")
	}
}

// deniedBefore reports whether a client was told of the denial of a manifest
// before x was asked.
func (c *checker) deniedBefore(x Exchange, manifest string) bool {
	return slices.ContainsFunc(c.h.Exchanges, func(y Exchange) bool {
		return y.Content == Manifest && y.Repository == x.Repository && y.Status == 403 &&
			y.Done.Before(x.Asked) && c.records[y.Decision].Digest == manifest
	})
}

// revision is the other half of I2: a decision under a configuration that had
// been replaced is no decision.
func (c *checker) revision(x Exchange) {
	r, known := c.records[x.Decision]
	if !known || !x.success() {
		return
	}
	current := ""
	for _, in := range c.h.Revisions {
		if !x.Answered.Before(in.Since.Add(settling)) {
			current = in.ID
		}
	}
	if current == "" || r.Revision == current {
		return
	}
	// It may also be younger than the last that was seen.
	for _, in := range c.h.Revisions {
		if in.ID == r.Revision && in.Since.Add(settling).After(x.Answered) {
			return
		}
	}
	c.on(x, "I2", "decided under revision %s, in force was %s", r.Revision, current)
}
