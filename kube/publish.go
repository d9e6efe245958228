package kube

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// ErrNoConfiguration is a webhook configuration that does not exist.
var ErrNoConfiguration = errors.New("neither a MutatingWebhookConfiguration nor a ValidatingWebhookConfiguration")

// errReset is a bundle that somebody else changes again and again.
var errReset = errors.New("somebody resets the CA bundle again and again: leave caBundle out of what is applied")

// read takes in the configurations of now. When they cannot be read, those of
// before count.
func (a *Authority) read(ctx context.Context) (missing, err error) {
	if a.cfg.Configurations == nil {
		return nil, nil
	}
	found, names, err := a.cfg.Configurations.Read(ctx)
	if err != nil {
		return nil, err
	}
	a.known, a.seen = found, true
	if len(names) > 0 {
		missing = fmt.Errorf("%w is called %s", ErrNoConfiguration, strings.Join(names, " or "))
	}
	return missing, nil
}

// publish writes the bundle of the store into the configurations that have
// another, and into no other.
func (a *Authority) publish(ctx context.Context) error {
	var errs []error
	should := bundle(a.chain.certs())
	for i := range a.known {
		c := &a.known[i]
		if !c.lacks(should) {
			continue
		}
		now, budget := time.Now(), a.budget(c.String())
		if budget.TokensAt(now) < 1 {
			errs = append(errs, fmt.Errorf("%s: %w", c, errReset))
			continue
		}
		err := a.cfg.Configurations.Publish(ctx, *c, should)
		switch {
		case errors.Is(err, ErrConflict):
			// Whoever changed it may be a replica that wrote the same; the next look tells.
		case err != nil:
			errs = append(errs, err)
		default:
			budget.AllowN(now, 1)
			a.cfg.BundleWritten()
			a.cfg.Log.InfoContext(ctx, "CA bundle written", "configuration", c.String(), "authorities", len(a.chain.authorities))
			for j := range c.Webhooks {
				c.Webhooks[j].Bundle = should
			}
		}
	}
	return errors.Join(errs...)
}

// budget returns how often the bundle of a configuration may still be written. A
// try that failed costs nothing.
func (a *Authority) budget(name string) *rate.Limiter {
	limit := a.limits[name]
	if limit == nil {
		limit = rate.NewLimiter(rate.Every(bundleEvery), bundleBurst)
		a.limits[name] = limit
	}
	return limit
}

// observe notes since when each authority has been in all configurations.
func (a *Authority) observe(now time.Time) {
	if !a.seen || len(a.known) == 0 {
		return
	}
	since := map[string]time.Time{}
	for _, cert := range a.chain.certs() {
		if !a.held(cert) {
			continue
		}
		at, before := a.since[string(cert.Raw)]
		if !before {
			at = now
		}
		since[string(cert.Raw)] = at
	}
	a.since = since
}

// held reports whether every configuration that is known holds an authority.
func (a *Authority) held(cert *x509.Certificate) bool {
	block := certPEM(cert)
	return !slices.ContainsFunc(a.known, func(c Configuration) bool {
		return slices.ContainsFunc(c.Webhooks, func(w Webhook) bool { return !bytes.Contains(w.Bundle, block) })
	})
}
