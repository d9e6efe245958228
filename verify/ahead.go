package verify

import (
	"context"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// aheadPart is the part of a result's life in which it is renewed: the last
	// fifth.
	aheadPart = 5
	// attemptPart is the part of its life that lies between two attempts.
	attemptPart = 10
	// rememberedAttempts bounds the results of which it is known when they were
	// last tried. One that was forgotten may be tried once more.
	rememberedAttempts = 10_000
)

// ahead renews results before they end, so that nobody waits for one that is in
// use. It is safe for concurrent use.
type ahead struct {
	// room bounds how many images are renewed at once, half of them for one
	// registry. What finds none is left to a later hit. It is half of what may be
	// collected, so that images which someone waits for always have the rest.
	room     *share
	attempts *lru.Cache[CacheKey, time.Time]
	// mu makes look and note one step.
	mu sync.Mutex
}

func newAhead(collections int) *ahead {
	attempts, err := lru.New[CacheKey, time.Time](rememberedAttempts)
	if err != nil {
		panic(err) // Only for a size below one.
	}
	return &ahead{room: newShare(int64(max(1, collections/2))), attempts: attempts}
}

// aging reports whether a fresh result is in the last part of its life.
// Unavailable is not renewed: it is asked for again when it ends.
func (v *Verifier) aging(result *Result) bool {
	life := v.life(result.Status)
	return result.Status != Unavailable && v.until(*result).Sub(v.cfg.Now()) < life/aheadPart
}

// renew starts one collection in each repository of signatures for those of q
// whose results are aging and were not tried lately, without anyone waiting for it.
func (v *Verifier) renew(ctx context.Context, q Query, results []Result) {
	for _, one := range q.portions(q.Needed, func(i int) bool { return v.aging(&results[i]) }) {
		v.renewPortion(ctx, one, results)
	}
}

func (v *Verifier) renewPortion(ctx context.Context, one portion, results []Result) {
	release, ok := v.ahead.room.tryAcquire(one.about.signatures.Registry, 1)
	if !ok {
		return
	}
	due := v.untried(one, results)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(due.some) == 0 || v.closed {
		release()
		return
	}
	ctx = context.WithoutCancel(ctx)
	v.running.Go(func() {
		defer release()
		v.renewNow(ctx, due)
	})
}

// untried returns those of one that were not tried within a tenth of their life,
// and notes that they are tried now.
func (v *Verifier) untried(one portion, results []Result) portion {
	v.ahead.mu.Lock()
	defer v.ahead.mu.Unlock()
	due := portion{about: one.about}
	now := v.cfg.Now()
	for i, in := range one.some {
		key := CacheKey{one.about.repository, one.about.digest, in.Name(), in.Revision()}
		last, tried := v.ahead.attempts.Get(key)
		if tried && now.Sub(last) < v.life(results[one.at[i]].Status)/attemptPart {
			continue
		}
		v.ahead.attempts.Add(key, now)
		due.some = append(due.some, in)
	}
	return due
}

// renewNow collects and judges. What could not be found out changes nothing
// while the result at hand lasts, see [Verifier.keep].
func (v *Verifier) renewNow(ctx context.Context, due portion) {
	defer func() {
		if r := recover(); r != nil {
			internalProblem(v.cfg.Log, r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, 2*v.cfg.Timeout)
	defer cancel()
	if v.isClosed() {
		return
	}
	kept, _ := v.evidence.get(due.about)
	from, err := v.fly(ctx, due.about, kept.number, v.preferred(ctx, due))
	if err != nil {
		return
	}
	defer v.leave(from)
	for _, in := range due.some {
		if _, err := v.judge(ctx, from, in); err != nil {
			return
		}
	}
}
