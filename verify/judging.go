package verify

import (
	"context"
	"slices"
	"time"
)

// judge returns what in makes of a flight's evidence: judged once for all
// callers, then kept. The error is ctx's own.
func (v *Verifier) judge(ctx context.Context, from *flight, in *Integration) (Result, error) {
	if in.asksLog() {
		return v.judgeAsking(ctx, from, in)
	}
	one := from.judgement(in)
	select {
	case <-one.done:
		return one.result, nil
	default:
	}
	select {
	case v.judging <- struct{}{}:
		defer func() { <-v.judging }()
	case <-one.done:
		return one.result, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	one.once.Do(func() {
		defer close(one.done)
		one.result = v.judgeAndKeep(ctx, from, in)
	})
	return one.result, nil
}

// judgeAndKeep judges, fills in when in last verified the image, and keeps the
// result for its lifetime.
func (v *Verifier) judgeAndKeep(ctx context.Context, from *flight, in *Integration) Result {
	begin := time.Now()
	result := Judge(from.evidence, in, v.cfg.Now()) //nolint:contextcheck // it is pure and has no context
	v.keep(ctx, from, in, &result)
	v.cfg.Observe(result, from.took+time.Since(begin))
	return result
}

// judgeKept judges evidence that was kept. A Verified counts as long as it
// would have been kept from the start; any other only within its own lifetime,
// and is not kept longer for being judged late.
func (v *Verifier) judgeKept(ctx context.Context, from *flight, in *Integration) (Result, bool, error) {
	if in.asksLog() {
		return v.judgeKeptAsking(ctx, from, in)
	}
	return v.judgeKeptAlone(ctx, from, in)
}

// judgeKeptAlone is judgeKept by what is attached.
func (v *Verifier) judgeKeptAlone(ctx context.Context, from *flight, in *Integration) (Result, bool, error) {
	select {
	case v.judging <- struct{}{}:
		defer func() { <-v.judging }()
	case <-ctx.Done():
		return Result{}, false, ctx.Err()
	}
	begin := time.Now()
	result := Judge(from.evidence, in, v.cfg.Now()) //nolint:contextcheck // it is pure and has no context
	if !v.cfg.Now().Before(v.until(result)) {
		return Result{}, false, nil
	}
	v.keep(ctx, from, in, &result)
	v.cfg.Observe(result, time.Since(begin))
	return result, true, nil
}

// togetherAtMost bounds how many integrations take one turn for judging.
const togetherAtMost = 64

// judgeKeptTogether is judgeKept for integrations for which nobody waits, each
// signature read once for many of them.
func (v *Verifier) judgeKeptTogether(ctx context.Context, from *flight, all []*Integration) {
	for some := range slices.Chunk(all, togetherAtMost) {
		select {
		case v.judging <- struct{}{}:
		case <-ctx.Done():
			return
		}
		begin := time.Now()
		results := v.judgeTurn(from.evidence, some) //nolint:contextcheck // judging is pure and has no context
		for i := range results {
			if v.cfg.Now().Before(v.until(results[i])) {
				v.keep(ctx, from, some[i], &results[i])
				v.cfg.Observe(results[i], time.Since(begin)/time.Duration(len(some)))
			}
		}
	}
}

// judgeTurn gives back the turn that its caller has taken.
func (v *Verifier) judgeTurn(evidence Evidence, some []*Integration) []Result {
	defer func() { <-v.judging }()
	return judgeAll(evidence, some, v.cfg.Now())
}

func (v *Verifier) keep(ctx context.Context, from *flight, in *Integration, result *Result) {
	// What was found out is worth keeping although the caller may have left.
	ctx = context.WithoutCancel(ctx)
	key := CacheKey{from.subject.repository, from.subject.digest, in.Name(), in.Revision()}
	if result.Status == Unavailable {
		old, fresh, found := v.cache.Get(ctx, key)
		if found {
			result.LastVerifiedAt = old.lastVerified()
		}
		if found && fresh && old.Status != Unavailable {
			// What was found out lasts until its end, whatever could not be
			// found out before.
			return
		}
	}
	end := v.until(*result)
	if fresh := result.JudgedAt.Add(v.cfg.UnavailableTTL); result.Status == Unavailable && fresh.After(end) {
		// A log that answers late was not there since, whenever its question began.
		end = fresh
	}
	v.cache.Put(ctx, key, *result, end)
}

// until is when result stops counting, from when its evidence was collected.
func (v *Verifier) until(result Result) time.Time {
	end := result.CollectedAt.Add(v.life(result.Status))
	if result.Status == Verified && !result.EndsAt.IsZero() && result.EndsAt.Before(end) {
		return result.EndsAt
	}
	return end
}

// life is how long a result of a status counts when nothing in it ends before.
func (v *Verifier) life(status Status) time.Duration {
	switch status {
	case Verified:
		return v.cfg.VerifiedTTL
	case Unsigned, Untrusted:
		return v.cfg.RejectedTTL
	default:
		return v.cfg.UnavailableTTL
	}
}
