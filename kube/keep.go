package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// errNoNames is that nobody has said yet by which names the webhook is called.
var errNoNames = errors.New("the names of the webhook are not known yet")

// keep reads the store and writes what should be there instead. The first writer
// wins; whoever lost reads what the winner wrote.
func (a *Authority) keep(ctx context.Context) error {
	for range tries {
		kept, err := a.store.Load(ctx)
		if err != nil {
			return err
		}
		base, spoilt := a.take(kept)
		next, changed, err := a.renew(base)
		if err != nil || !changed {
			return errors.Join(spoilt, err)
		}
		parts, err := next.parts()
		if err != nil {
			return err
		}
		err = a.store.Save(ctx, kept, parts)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return errors.Join(spoilt, err)
		}
		if spoilt != nil {
			a.cfg.Log.ErrorContext(ctx, "certificates of the webhook were made anew", "error", spoilt)
		}
		a.cfg.Log.InfoContext(ctx, "certificates of the webhook written", "authorities", len(next.authorities),
			"notAfter", next.serving.cert.NotAfter, "names", next.serving.cert.DNSNames)
	}
	return a.settled(ctx)
}

// settled reads what the last write left; it is an [ErrConflict] when others
// were faster each time.
func (a *Authority) settled(ctx context.Context) error {
	kept, err := a.store.Load(ctx)
	if err != nil {
		return err
	}
	if _, spoilt := a.take(kept); spoilt != nil {
		return errors.Join(spoilt, ErrConflict)
	}
	return nil
}

// take takes in what the store holds, and returns what is to be renewed. spoilt
// says why that is not what the store holds.
func (a *Authority) take(kept Kept) (base chain, spoilt error) {
	if kept.Version != "" && kept.Version == a.version {
		return a.chain, nil
	}
	c, err := readChain(kept.Parts)
	if err == nil {
		a.chain, a.version = c, kept.Version
		return c, nil
	}
	if len(kept.Parts) == 0 && a.version == "" {
		return chain{}, nil
	}
	return a.orphaned(), fmt.Errorf("those that were kept are gone or spoilt: %w", err)
}

func (a *Authority) renew(base chain) (next chain, changed bool, err error) {
	w := world{now: time.Now(), names: a.names(base), published: a.published}
	if len(w.names) == 0 {
		return base, false, errNoNames
	}
	return base.renew(w)
}

// orphaned is what is left of a chain whose store was spoilt: its authorities
// stay in the bundle, since replicas show certificates by them, but never sign
// again, since somebody else had his hands on the store.
func (a *Authority) orphaned() chain {
	var c chain
	for _, one := range a.chain.authorities {
		c.authorities = append(c.authorities, authority{cert: one.cert})
	}
	return c
}

// names are those for which the certificate is to be good: while nobody says by
// which the webhook is called, those of the certificate that there is.
func (a *Authority) names(base chain) []string {
	names := slices.Clone(a.cfg.Names)
	for _, c := range a.known {
		for _, w := range c.Webhooks {
			names = append(names, w.Hosts...)
		}
	}
	if cert := base.serving.cert; cert != nil && (len(names) == 0 || a.cfg.Configurations != nil && !a.seen) {
		names = slices.Clone(cert.DNSNames)
		for _, ip := range cert.IPAddresses {
			names = append(names, ip.String())
		}
	}
	if a.cfg.Configurations != nil && !a.seen && base.serving.cert == nil {
		return nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !nameable(name) })
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxNames)]
}

// maxNames bounds the names of one certificate.
const maxNames = 64
