package inventory

import (
	"context"
	"time"

	"vouchsafe/verify"
)

// Results is a [verify.Cache] that lets a Memory know each result of an image that
// it remembers, and falls back on it: a cache that is smaller than the memory loses
// nothing. It is safe for concurrent use.
type Results struct {
	next   verify.Cache
	memory *Memory
}

var _ verify.Cache = (*Results)(nil)

// NewResults returns a cache around next.
func NewResults(next verify.Cache, memory *Memory) *Results {
	return &Results{next: next, memory: memory}
}

// Get implements [verify.Cache]. An Unavailable that next kept, since it had
// forgotten the Verified before it, does not stand before that.
func (c *Results) Get(ctx context.Context, key verify.CacheKey) (result verify.Result, fresh, found bool) {
	result, fresh, found = c.next.Get(ctx, key)
	if fresh && result.Status != verify.Unavailable {
		return result, true, true
	}
	kept, until, keptFresh, keptFound := c.memory.kept(key)
	switch {
	case keptFresh && (!fresh || kept.Status == verify.Verified):
		c.next.Put(ctx, key, kept, until)
		return kept, true, true
	case found:
		return result, fresh, true
	}
	return kept, false, keptFound
}

// Put implements [verify.Cache].
func (c *Results) Put(ctx context.Context, key verify.CacheKey, result verify.Result, until time.Time) {
	c.memory.put(key, &result, until)
	c.next.Put(ctx, key, result, until)
}

// kept returns what is remembered under key, as [verify.Cache] says, and until
// when it is fresh.
func (m *Memory) kept(key verify.CacheKey) (result verify.Result, until time.Time, fresh, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.images[name{key.Repository, key.Digest}]
	if e == nil {
		return verify.Result{}, time.Time{}, false, false
	}
	r := e.find(key.Integration)
	if r == nil {
		return verify.Result{}, time.Time{}, false, false
	}
	result, fresh, found = r.cached(key.Revision, m.cfg.Now())
	return result, r.until, fresh, found
}

// put takes a result of an image's own in.
func (m *Memory) put(key verify.CacheKey, result *verify.Result, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.images[name{key.Repository, key.Digest}]
	if e == nil || e.image.Exempt {
		return
	}
	if r := m.note(e, result, false); same(&r.own, result) {
		r.until = until
	}
}
