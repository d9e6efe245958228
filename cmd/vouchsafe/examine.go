package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"vouchsafe/audit"
	"vouchsafe/config"
	"vouchsafe/content"
	"vouchsafe/internal/layout"
	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// examiner is what a command needs that judges images and ends.
type examiner struct {
	snapshot *config.Snapshot
	resolver *content.Resolver
	verifier *verify.Verifier
	decider  policy.Decider
	// artifacts is nil unless the images are those that a layout lists.
	artifacts *policy.Artifacts
	// close waits for work that goes on after answers.
	close func()
}

// examineRegistries judges as the gateway would, with its stack, through the
// egress proxies of the environment.
func (a *app) examineRegistries(snapshot *config.Snapshot, settings config.Settings, around outside) (*examiner, error) {
	var err error
	if around.egress, err = upstream.NewEgress(a.environ); err != nil {
		return nil, usage(err)
	}
	s := newStack(func() *config.Snapshot { return snapshot }, settings, around, newMetrics(), slog.New(slog.DiscardHandler))
	return &examiner{snapshot: snapshot, resolver: s.resolver, verifier: s.verifier, decider: s.decider, close: s.close}, nil
}

// examineLayout judges what is in a folder, with the same parts over it.
func (a *app) examineLayout(l *layout.Layout, snapshot *config.Snapshot, settings config.Settings, around outside) *examiner {
	x := &examiner{
		snapshot: snapshot,
		resolver: content.New(l, content.Config{MaxBytes: int64(settings.ManifestCache), Timeout: settings.RequestTimeout}),
		verifier: verify.New(l, verify.NewLRU(settings.CacheEntries, nil), verify.Config{
			VerifiedTTL: settings.VerifiedTTL, RejectedTTL: settings.RejectedTTL, UnavailableTTL: settings.UnavailableTTL,
			Logs: a.layoutLogs(),
		}),
		artifacts: policy.NewArtifacts(l),
	}
	engine := &policy.Engine{
		Rules:     func() policy.Rules { return snapshot.Rules },
		Results:   x.verifier,
		Lineage:   inventory.NewLineage(0),
		Artifacts: x.artifacts,
	}
	x.decider = audit.New(engine, around.sink, audit.Config{Replica: around.replica})
	x.close = x.verifier.Close
	return x
}

// layoutLogs asks logs about what is in a folder. Where the proxies of the
// environment cannot be read no log is asked, since none may be asked directly
// then; the folder needs no network, so that is no mistake by itself.
func (a *app) layoutLogs() verify.LogClient {
	egress, err := upstream.NewEgress(a.environ)
	if err != nil {
		_, _ = fmt.Fprintf(a.stderr, "vouchsafe: %v: no log is asked\n", err)
		return nil
	}
	return upstream.NewOperatorClient(verify.EvidenceTimeout, egress)
}

// resolve returns what m names.
func (x *examiner) resolve(ctx context.Context, m member) (oci.Image, error) {
	if m.err != nil {
		return oci.Image{}, m.err
	}
	return x.resolver.Resolve(ctx, m.at)
}

// passedOver reports whether an image that nobody asked for by name is a
// signature or another artifact, by the rule that exempts it from policies: by
// its content. Names and notes say nothing, since an image that calls itself a
// signature must not go unseen.
func (x *examiner) passedOver(ctx context.Context, m member, image oci.Image) bool {
	if !m.listed {
		return false
	}
	const most = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	exempt, err := x.artifacts.Exempt(ctx, image)
	return err == nil && exempt
}
