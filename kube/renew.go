package kube

import (
	"crypto/x509"
	"slices"
	"time"
)

// world is what a renewal depends on.
type world struct {
	now   time.Time
	names []string
	// published reports whether every configuration has held an authority for long
	// enough that each API server knows it.
	published func(*x509.Certificate) bool
}

// renew returns the chain that should be kept instead of c, and whether it is
// another. It is the whole course of a rotation, one step at a time:
//
//   - an authority whose time is over leaves; all that it signed has ended too;
//   - when the newest one has lived two thirds of its life, or there is none, a
//     new one comes, which gets into the configurations beside the old one;
//   - a serving certificate that has lived two thirds of its life, or is not good
//     for the names, is replaced by one of the newest authority that is published.
//     As long as that is not the newest of all, the old one goes on signing;
//   - the keys of authorities older than the one that signed are dropped.
func (c chain) renew(w world) (next chain, changed bool, err error) {
	next = chain{serving: c.serving}
	for _, a := range c.authorities {
		if !over(a.cert, w.now) {
			next.authorities = append(next.authorities, a)
		}
	}
	changed = len(next.authorities) != len(c.authorities)
	if keyed := next.keyed(); len(keyed) == 0 || old(keyed[0].cert, w.now) {
		fresh, err := newAuthority(w.now)
		if err != nil {
			return c, false, err
		}
		next.authorities = append(next.authorities, fresh)
		next.authorities = next.authorities[max(0, len(next.authorities)-maxAuthorities):]
		changed = true
	}
	if !next.due(w) {
		return next, changed, nil
	}
	by := next.signer(w)
	if next.serving, err = by.issue(w.names, w.now); err != nil {
		return c, false, err
	}
	next.retire(by)
	return next, true, nil
}

// due reports whether the serving certificate is to be replaced. Names that it has
// and nobody wants any more are no reason: two replicas that see different
// configurations for a moment must not take turns.
func (c chain) due(w world) bool {
	cert := c.serving.cert
	if cert == nil || over(cert, w.now) || !covers(cert, w.names) || c.issuer() == nil {
		return true
	}
	if !old(cert, w.now) {
		return false
	}
	// The last certificate of an authority cannot outlive it: another by the same
	// one would be no younger.
	return c.signer(w).cert.NotAfter.After(cert.NotAfter)
}

// signer is the authority that signs now: the newest that is published, else the
// one before, else, when none is, the oldest that can, since that is the most
// likely to be known.
func (c chain) signer(w world) authority {
	able := c.keyed()
	at := slices.IndexFunc(able, func(a authority) bool { return w.published(a.cert) })
	if at < 0 {
		at = len(able) - 1
	}
	return able[at]
}

// retire drops the keys of the authorities that are older than by.
func (c chain) retire(by authority) {
	for i := range c.authorities {
		if c.authorities[i].cert.Equal(by.cert) {
			return
		}
		c.authorities[i].key = nil
	}
}
