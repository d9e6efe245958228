package verify

import (
	"context"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// lastVerifiedFor is how long a result may say when an image was last Verified.
const lastVerifiedFor = 24 * time.Hour

// LRU is a [Cache] in memory, bounded by a number of results. It is safe for
// concurrent use.
type LRU struct {
	now     func() time.Time
	results *lru.Cache[CacheKey, kept]
	// put makes look and replace one step.
	put sync.Mutex
}

type kept struct {
	result Result
	until  time.Time
}

// NewLRU returns a cache of at most entries results, at least one. now may be
// nil.
func NewLRU(entries int, now func() time.Time) *LRU {
	if now == nil {
		now = time.Now
	}
	results, err := lru.New[CacheKey, kept](max(entries, 1))
	if err != nil {
		// New only refuses sizes below one.
		panic(err)
	}
	return &LRU{now: now, results: results}
}

// Get implements [Cache].
func (c *LRU) Get(_ context.Context, key CacheKey) (result Result, fresh, found bool) {
	entry, found := c.results.Get(key)
	if !found {
		return Result{}, false, false
	}
	now := c.now()
	if now.Before(entry.until) {
		return entry.result, true, true
	}
	if verified := entry.result.lastVerified(); !verified.IsZero() && now.Sub(verified) < lastVerifiedFor {
		return entry.result, false, true
	}
	return Result{}, false, false
}

// Put implements [Cache].
func (c *LRU) Put(_ context.Context, key CacheKey, result Result, until time.Time) {
	result.Signatures = onlyVerified(result.Signatures)
	c.put.Lock()
	defer c.put.Unlock()
	if result.Status == Unavailable {
		if old, found := c.results.Peek(key); found && old.result.Status == Verified && c.now().Before(old.until) {
			return
		}
	}
	c.results.Add(key, kept{result: result, until: until})
}

// Len returns how many results are kept, those past their lifetime included.
func (c *LRU) Len() int { return c.results.Len() }

// lastVerified is when r, or the result that r stands in for, was Verified. A
// rejection ends it: after one, nobody may fall back on what was before.
func (r Result) lastVerified() time.Time {
	switch r.Status {
	case Verified:
		return r.JudgedAt
	case Unavailable:
		return r.LastVerifiedAt
	default:
		return time.Time{}
	}
}

func onlyVerified(all []Signature) []Signature {
	var good []Signature
	for _, s := range all {
		if s.Status == Verified {
			good = append(good, s)
		}
	}
	return slices.Clip(good)
}
