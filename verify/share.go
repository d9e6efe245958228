package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// share hands out a bounded amount, of which one registry has at most half: one
// that hangs keeps none of the others from their work. It is safe for concurrent
// use.
type share struct {
	each int64
	all  *semaphore.Weighted

	mu         sync.Mutex // guards registries
	registries map[string]*part
}

// part is what one registry has.
type part struct {
	free *semaphore.Weighted
	// users hold some of it or wait for it, under share.mu; without any it is
	// gone.
	users int
}

func newShare(amount int64) *share {
	return &share{each: amount - amount/2, all: semaphore.NewWeighted(amount), registries: map[string]*part{}}
}

// acquire waits for n of the amount for registry, or for all that one may have if
// that is less. release must be called once. The error is ctx's own.
//
// A registry's own part comes first, and those who have both wait for nothing
// here, so nobody waits in a circle as long as no caller holds one and asks for
// another.
func (s *share) acquire(ctx context.Context, registry string, n int64) (release func(), err error) {
	n = min(n, s.each)
	one := s.enter(registry)
	if err := one.free.Acquire(ctx, n); err != nil {
		s.leave(registry, one)
		return nil, err
	}
	if err := s.all.Acquire(ctx, n); err != nil {
		one.free.Release(n)
		s.leave(registry, one)
		return nil, err
	}
	return func() { s.release(registry, one, n) }, nil
}

// tryAcquire is acquire for those who must not wait, since they hold already
// what n stands for; false when there is no room.
func (s *share) tryAcquire(registry string, n int64) (release func(), ok bool) {
	n = min(n, s.each)
	one := s.enter(registry)
	if !one.free.TryAcquire(n) {
		s.leave(registry, one)
		return nil, false
	}
	if !s.all.TryAcquire(n) {
		one.free.Release(n)
		s.leave(registry, one)
		return nil, false
	}
	return func() { s.release(registry, one, n) }, true
}

func (s *share) release(registry string, one *part, n int64) {
	s.all.Release(n)
	one.free.Release(n)
	s.leave(registry, one)
}

func (s *share) enter(registry string) *part {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.registries[registry]
	if one == nil {
		one = &part{free: semaphore.NewWeighted(s.each)}
		s.registries[registry] = one
	}
	one.users++
	return one
}

func (s *share) leave(registry string, one *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(s.registries, registry)
	}
}
