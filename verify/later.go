package verify

import (
	"context"
	"sync"
)

// maxLater bounds the images that wait to be judged after their answers. What
// comes when it is full is dropped: it is judged when it is next asked for.
const maxLater = 256

// later is work that nobody waits for.
type later struct {
	// mu guards what follows.
	mu      sync.Mutex
	queue   []lateWork
	working bool
	dropped uint64
}

// lateWork names its evidence instead of holding it, so that a full queue holds
// no more memory than the store does.
type lateWork struct {
	about  subject
	others []*Integration
}

// judgeLater has others judged from the evidence at hand, without anyone
// waiting for it.
func (v *Verifier) judgeLater(ctx context.Context, about subject, others []*Integration) {
	if len(others) == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.later.mu.Lock()
	defer v.later.mu.Unlock()
	if len(v.later.queue) >= maxLater {
		v.later.dropped++
		return
	}
	v.later.queue = append(v.later.queue, lateWork{about, others})
	if v.later.working {
		return
	}
	v.later.working = true
	ctx = context.WithoutCancel(ctx)
	v.running.Go(func() { v.work(ctx) })
}

// work drains the queue and ends.
func (v *Verifier) work(ctx context.Context) {
	for {
		v.later.mu.Lock()
		if len(v.later.queue) == 0 {
			v.later.queue, v.later.working = nil, false
			v.later.mu.Unlock()
			return
		}
		next := v.later.queue[0]
		v.later.queue = v.later.queue[1:]
		v.later.mu.Unlock()
		v.judgeOthers(ctx, next)
	}
}

func (v *Verifier) judgeOthers(ctx context.Context, work lateWork) {
	defer func() {
		if r := recover(); r != nil {
			internalProblem(v.cfg.Log, r)
		}
	}()
	evidence, found := v.evidence.get(work.about)
	if !found {
		return
	}
	from := landed(work.about, evidence.Evidence)
	for _, in := range work.others {
		q := Query{Repository: work.about.repository, Digest: work.about.digest}
		key := CacheKey{q.Repository, q.Digest, in.Name(), in.Revision()}
		if result, fresh, ok := v.cache.Get(ctx, key); ok && fresh && !result.CollectedAt.Before(evidence.CollectedAt) {
			continue
		}
		if _, _, err := v.judgeKept(ctx, from, in); err != nil {
			return
		}
	}
}

// Dropped returns how many images were not judged for other integrations
// because too many waited.
func (v *Verifier) Dropped() uint64 {
	v.later.mu.Lock()
	defer v.later.mu.Unlock()
	return v.later.dropped
}
