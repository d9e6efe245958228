package history

import (
	"slices"
	"strings"
)

// record is I4: each decision has its record before its answer.
func (c *checker) record(x Exchange) {
	if c.h.World.SinkFails && x.Phase == During {
		if x.Content == Manifest && x.success() && c.enforced(x) {
			c.on(x, "I4", "served in an enforcing repository while no record can be written")
		}
		return
	}
	// Blobs have a record when they are refused; as part of an image that was let
	// through they need none.
	if x.Content == Blob && x.Code != "DENIED" {
		return
	}
	if x.Decision == "" {
		if x.success() || x.Code == "DENIED" {
			c.on(x, "I4", "the answer names no decision")
		}
		return
	}
	r, known := c.records[x.Decision]
	if !known {
		c.on(x, "I4", "decision %s has no record", x.Decision)
		return
	}
	if r.End > x.AuditSeen {
		c.on(x, "I4", "decision %s was recorded after its answer: %d bytes were there, it ends at %d", x.Decision, x.AuditSeen, r.End)
	}
	if r.Origin != x.Repository {
		c.on(x, "I4", "the record is about %s", r.Origin)
	}
	served := r.Verdict == "Allow" || r.Verdict == "Warn"
	if x.success() != served {
		c.on(x, "I4", "the record says %s", r.Verdict)
	}
	if x.success() && x.Content == Manifest && r.Digest != x.Digest {
		c.on(x, "I4", "the record is about %s, the answer about %s", r.Digest, x.Digest)
	}
}

// credentials is I7: none is seen anywhere but where it belongs, and nobody is
// contacted who may not be.
func (c *checker) credentials() {
	for _, hit := range c.h.Canaries {
		c.add("I7", hit.Cell, "%s was contacted: %s %s", hit.Host, hit.Method, hit.Path)
	}
	for _, secret := range c.h.World.Secrets {
		for _, y := range slices.Concat(c.h.Contacts, c.h.Canaries) {
			if strings.Contains(y.Seen, secret.Value) && !slices.Contains(secret.Hosts, y.Host) {
				c.add("I7", y.Cell, "a credential for %s went to %s: %s %s", strings.Join(secret.Hosts, ", "), y.Host, y.Method, y.Path)
			}
		}
		for _, x := range c.h.Exchanges {
			if strings.Contains(x.Text, secret.Value) {
				c.on(x, "I7", "a credential is in the answer")
			}
		}
		for _, o := range c.h.Outputs {
			if strings.Contains(o.Text, secret.Value) {
				c.add("I7", "", "a credential for %s is in %s", strings.Join(secret.Hosts, ", "), o.Name)
			}
		}
	}
}
