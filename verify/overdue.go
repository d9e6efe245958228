package verify

import (
	"context"
	"time"
)

const (
	// answerMargin is what a caller keeps of its time to act on results, to
	// record a decision above all; of less than ten times that it keeps a part.
	answerMargin     = time.Second
	answerMarginPart = 10
)

// inTime returns ctx with an end before its deadline, if it has one, so that a
// registry that hangs cannot take the time in which a caller answers.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end.Add(-min(answerMargin, time.Until(end)/answerMarginPart)))
}

// overdue fills in what is not there in time. It is kept for nobody: the next
// caller joins the flight, which goes on.
func (v *Verifier) overdue(ctx context.Context, q Query, results []Result, waited time.Duration) {
	now := v.cfg.Now()
	for i, in := range q.Needed {
		if results[i].Status != 0 {
			continue
		}
		results[i] = Result{
			Integration: in.Name(), Revision: in.Revision(),
			Status: Unavailable, Reason: Timeout, Message: "signatures could not be read: not done in time",
			JudgedAt: now, CollectedAt: now,
		}
		if old, _, found := v.cache.Get(ctx, CacheKey{q.Repository, q.Digest, in.Name(), in.Revision()}); found {
			results[i].LastVerifiedAt = old.lastVerified()
		}
		v.cfg.Observe(results[i], waited)
	}
}
