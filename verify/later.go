package verify

import (
	"context"
	"sync"
)

const (
	// maxLater bounds the images that wait to be judged after their answers.
	// What comes when it is full is left out: it is judged when it is next asked
	// for.
	maxLater = 256
	// lateWorkers bounds how many of them are judged at once.
	lateWorkers = 4
)

// later is work that nobody waits for.
type later struct {
	// mu guards what follows.
	mu      sync.Mutex
	queue   []lateWork
	workers int
}

// lateWork names its evidence instead of holding it, so that a full queue holds
// no more memory than the store does.
type lateWork struct {
	about  subject
	others []*Integration
	// collect is true when evidence may be asked for.
	collect bool
}

// judgeLater has others judged from the evidence at hand, without anyone
// waiting for it; with collect, evidence is asked for where none is at hand.
// Each evidence is judged under each integration once.
func (v *Verifier) judgeLater(ctx context.Context, work lateWork) {
	if len(work.others) == 0 {
		return
	}
	kept, found := v.evidence.get(work.about)
	found = found && v.young(kept.CollectedAt, v.cfg.VerifiedTTL)
	if !found && !work.collect || found && kept.tried.all(work.others) {
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
		return
	}
	v.later.queue = append(v.later.queue, work)
	if v.later.workers == lateWorkers {
		return
	}
	v.later.workers++
	ctx = context.WithoutCancel(ctx)
	v.running.Go(func() { v.work(ctx) })
}

// work drains the queue and ends.
func (v *Verifier) work(ctx context.Context) {
	for {
		v.later.mu.Lock()
		if len(v.later.queue) == 0 {
			v.later.workers--
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
	ctx, cancel := context.WithTimeout(ctx, 2*v.cfg.Timeout)
	defer cancel()
	kept, found := v.evidence.get(work.about)
	if !found || !v.young(kept.CollectedAt, v.cfg.VerifiedTTL) {
		if !work.collect || v.isClosed() {
			return
		}
		from, err := v.fly(ctx, work.about, kept.number, nil)
		if err != nil {
			return
		}
		v.leave(from)
		if kept, found = v.evidence.get(work.about); !found {
			return
		}
	}
	from := landed(work.about, kept.Evidence)
	var alone, asking []*Integration
	for _, in := range work.others {
		if !kept.tried.first(in) {
			continue
		}
		key := CacheKey{work.about.repository, work.about.digest, in.Name(), in.Revision()}
		if result, fresh, ok := v.cache.Get(ctx, key); ok && fresh && !result.CollectedAt.Before(kept.CollectedAt) {
			continue
		}
		if in.asksLog() {
			asking = append(asking, in)
		} else {
			alone = append(alone, in)
		}
	}
	// A log may take the time of all that come after it.
	v.judgeKeptTogether(ctx, from, alone)
	for _, in := range asking {
		if _, err := v.judgeAsking(ctx, from, in); err != nil {
			return
		}
	}
}

func (v *Verifier) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}

// triedSet is under which integrations one evidence was judged later.
type triedSet struct {
	mu  sync.Mutex
	set map[judgementKey]bool
}

// first reports whether in is new to the set, and adds it.
func (t *triedSet) first(in *Integration) bool {
	key := judgementKey{in.Name(), in.Revision()}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set[key] {
		return false
	}
	if t.set == nil {
		t.set = map[judgementKey]bool{}
	}
	t.set[key] = true
	return true
}

func (t *triedSet) all(integrations []*Integration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range integrations {
		if !t.set[judgementKey{in.Name(), in.Revision()}] {
			return false
		}
	}
	return true
}
