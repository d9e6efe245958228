package verify

import "context"

// unknown fills in what is not kept, for a query that asks nobody. It is kept for
// nobody: whoever may ask finds it out.
func (v *Verifier) unknown(ctx context.Context, q Query, results []Result) {
	now := v.cfg.Now()
	for i, in := range q.Needed {
		if results[i].Status != 0 {
			continue
		}
		results[i] = Result{
			Integration: in.Name(), Revision: in.Revision(),
			Status: Unavailable, Reason: NotKnown, Message: "the image was not judged before",
			JudgedAt: now, CollectedAt: now, Cached: true,
		}
		if old, _, found := v.cache.Get(ctx, CacheKey{q.Repository, q.Digest, in.Name(), in.Revision()}); found {
			results[i].LastVerifiedAt = old.lastVerified()
		}
	}
}
