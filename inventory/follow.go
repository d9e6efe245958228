package inventory

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"vouchsafe/policy"
	"vouchsafe/verify"
)

// follow looks whether the rules changed. An integration that is new or changed
// makes every image due at once: first those whose policies name it. Policies are
// applied anew to what is known, which asks nobody.
func (r *Reverifier) follow(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.ErrorContext(ctx, "changed rules not followed", "error", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	rules := r.cfg.Rules()
	if rules.Revision == r.revision {
		return
	}
	before, now := r.integrations, revisions(rules)
	r.revision, r.integrations = rules.Revision, now
	var changed, removed []string
	for in, revision := range now {
		if before[in] != revision {
			changed = append(changed, in)
		}
	}
	for in := range before {
		if _, stays := now[in]; !stays {
			removed = append(removed, in)
		}
	}
	instant := r.memory.cfg.Now()
	for _, e := range r.memory.entries() {
		if ctx.Err() != nil {
			return
		}
		partial := r.memory.forget(e, removed) && r.weigh(ctx, e)
		if len(changed) > 0 || partial {
			r.memory.hurry(e, instant, rankOf(rules, e, changed))
		}
	}
	r.cfg.Log.InfoContext(ctx, "rules changed", "revision", rules.Revision,
		"integrations changed", len(changed), "integrations removed", len(removed), "due", r.Due())
}

// revisions returns the revision of each integration by name.
func revisions(rules policy.Rules) map[string]string {
	all := make(map[string]string, len(rules.Integrations))
	for _, in := range rules.Integrations {
		all[in.Name()] = in.Revision()
	}
	return all
}

// rankOf puts first the images whose policies name an integration that changed.
// The name of an entry never changes, so it needs no lock.
func rankOf(rules policy.Rules, e *entry, changed []string) uint8 {
	for _, p := range rules.Policies {
		if slices.ContainsFunc(changed, p.Trusts) && p.Matches(e.image.Reference.Repository, "") {
			return 0
		}
	}
	return 1
}

// weigh applies the policies in force to what is known of e. It reports whether
// that was only part of what can be known.
func (r *Reverifier) weigh(ctx context.Context, e *entry) (partial bool) {
	j := job{entry: e, image: e.image.Reference, mediaType: e.image.MediaType}
	request := policy.Request{Kind: policy.KindReverification, Reference: j.image}
	known, partial := r.memory.known(e)
	decision, err := r.engine.DecideFrom(request, j.image, j.mediaType, known)
	if err != nil {
		r.failed(ctx, j, err)
		return partial
	}
	r.memory.judged(j, &decision)
	return partial
}

// forget drops the results of integrations that are no more. It reports whether
// there is something to judge.
func (m *Memory) forget(e *entry, removed []string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.gone || e.image.Exempt {
		return false
	}
	e.records = slices.DeleteFunc(e.records, func(r *record) bool { return slices.Contains(removed, r.integration) })
	return true
}

// known returns the results that count. One that is not Verified and was found
// without a look at the indexes is not known yet: taken for a refusal it would open
// a violation of an image that its index verifies.
func (m *Memory) known(e *entry) (all []verify.Result, partial bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all = make([]verify.Result, len(e.records))
	for i, r := range e.records {
		all[i] = *r.current()
		if !r.settled() {
			all[i].Status, partial = verify.Unavailable, true
		}
	}
	return all, partial
}

// hurry makes e due at an instant, from whatever evidence has not ended.
func (m *Memory) hurry(e *entry, at time.Time, rank uint8) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.gone || e.image.Exempt {
		return
	}
	// A status that differs from what was told is among what is found out.
	e.plan.rank, e.plan.urgent, e.plan.since = rank, at, time.Time{}
	m.schedule.plan(e)
}
