package verify

import (
	"context"
	"time"
)

// askingKey is one integration's judgement of one image.
type askingKey struct {
	subject
	judgementKey
}

// asksLog reports whether the log of in may be asked for entries.
func (i *Integration) asksLog() bool { return i.trust.askLog != "" }

// judgeAsking is judge for an integration that asks a log for what is not
// attached. One question goes out for all callers, and it does not end with any
// of them. The error is ctx's own.
func (v *Verifier) judgeAsking(ctx context.Context, from *flight, in *Integration) (Result, error) {
	if result, ok := v.meanwhile(ctx, from, in); ok {
		return result, nil
	}
	one := v.startAsking(ctx, from, in)
	select {
	case <-one.done:
		return one.result, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// meanwhile returns a result that came of from's evidence, or of newer, since the
// caller looked it up.
func (v *Verifier) meanwhile(ctx context.Context, from *flight, in *Integration) (Result, bool) {
	result, fresh, found := v.cache.Get(ctx, CacheKey{from.subject.repository, from.subject.digest, in.Name(), in.Revision()})
	return result, found && fresh && !result.CollectedAt.Before(from.evidence.CollectedAt)
}

// startAsking joins the running judgement or starts one.
func (v *Verifier) startAsking(ctx context.Context, from *flight, in *Integration) *judgement {
	key := askingKey{from.subject, judgementKey{in.Name(), in.Revision()}}
	v.mu.Lock()
	defer v.mu.Unlock()
	if running := v.asking[key]; running != nil {
		return running
	}
	one := from.judgement(in)
	select {
	case <-one.done:
		return one
	default:
	}
	v.asking[key] = one
	from.waiters++ // its evidence is held until this is over
	ctx = context.WithoutCancel(ctx)
	if v.closed {
		go v.ask(ctx, from, in, one, key)
	} else {
		v.running.Go(func() { v.ask(ctx, from, in, one, key) })
	}
	return one
}

// askingNow is the running judgement of what key names; nil is none.
func (v *Verifier) askingNow(key askingKey) *judgement {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asking[key]
}

// ask judges from's evidence and, when a log entry is what it lacks, asks for that
// in what is left of the time of the collection. No turn for judging is held
// meanwhile: a log that hangs must not keep others from theirs.
func (v *Verifier) ask(ctx context.Context, from *flight, in *Integration, one *judgement, key askingKey) {
	begin := time.Now()
	defer func() {
		if r := recover(); r != nil {
			problem := internalProblem(v.cfg.Log, r)
			one.result = Result{
				Integration: in.Name(), Revision: in.Revision(), Status: Unavailable, Reason: problem.Reason, Message: problem.Message,
				JudgedAt: v.cfg.Now(), CollectedAt: from.evidence.CollectedAt,
			}
		}
		v.mu.Lock()
		delete(v.asking, key)
		v.mu.Unlock()
		close(one.done)
		v.leave(from)
	}()
	asked := v.questions(from.evidence, in) //nolint:contextcheck // judging is pure and has no context
	within, cancel := context.WithTimeout(ctx, v.cfg.Timeout-from.took)
	defer cancel()
	evidence := v.completer.complete(within, from.evidence, in, asked)
	one.result = v.judgeOne(evidence, in) //nolint:contextcheck // it is pure and has no context
	v.keep(ctx, from, in, &one.result)
	v.cfg.Observe(one.result, from.took+time.Since(begin))
}

// questions and judgeOne take their turn among those who judge.
func (v *Verifier) questions(evidence Evidence, in *Integration) []logQuestion {
	v.judging <- struct{}{}
	defer func() { <-v.judging }()
	return questions(evidence, in, v.cfg.Now())
}

func (v *Verifier) judgeOne(evidence Evidence, in *Integration) Result {
	v.judging <- struct{}{}
	defer func() { <-v.judging }()
	return Judge(evidence, in, v.cfg.Now())
}

// judgeKeptAsking is judgeKept for an integration that asks a log: evidence that
// lacks an entry does not count, since a signature that has one may be there by
// now, unless somebody has asked or is asking.
func (v *Verifier) judgeKeptAsking(ctx context.Context, from *flight, in *Integration) (Result, bool, error) {
	if running := v.askingNow(askingKey{from.subject, judgementKey{in.Name(), in.Revision()}}); running != nil {
		select {
		case <-running.done:
			return running.result, true, nil
		case <-ctx.Done():
			return Result{}, false, ctx.Err()
		}
	}
	if result, ok := v.meanwhile(ctx, from, in); ok {
		return result, true, nil
	}
	if len(v.questions(from.evidence, in)) > 0 { //nolint:contextcheck // judging is pure and has no context
		return Result{}, false, ctx.Err()
	}
	return v.judgeKeptAlone(ctx, landed(from.subject, unasked(from.evidence)), in)
}
