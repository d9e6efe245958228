package upstream

import (
	"sync/atomic"
	"time"

	"vouchsafe/oci"
)

const (
	// defaultWholeBytes is most of what is read whole at one time.
	defaultWholeBytes = 96 << 20
	// freeBytes of each body are not counted: nearly every manifest, token and
	// signature fits, so they get through while large ones fill the budget.
	freeBytes = 32 << 10
	// growth is the part of its size by which a buffer grows at once. Old and new
	// lie in memory together for a moment, so a body may cost twice its size then.
	growth = 4
	// firstBytes is what a buffer begins with.
	firstBytes = 8 << 10
	// busyRetry is when a client that met a full budget may come again.
	busyRetry = time.Second
)

// budget counts bytes taken. It is safe for concurrent use.
type budget struct{ taken atomic.Int64 }

// take takes n bytes if no more than most are then taken. It never waits:
// whoever waits here would hold what others wait for.
func (b *budget) take(n, most int64) bool {
	for {
		now := b.taken.Load()
		if now+n > most {
			return false
		}
		if b.taken.CompareAndSwap(now, now+n) {
			return true
		}
	}
}

func (b *budget) give(n int64) { b.taken.Add(-n) }

// claim is what one body has taken, of its registry's part and of the whole.
// One goroutine uses it.
type claim struct {
	what          string
	all, registry *budget
	most          int64
	taken         int64
}

// claim returns the claim of a body from d's registry. One registry gets at most
// two thirds: one that sends slowly leaves room for all others.
func (d door) claim(what string) *claim {
	return &claim{what: what, all: &d.client.whole, registry: &d.registry.whole, most: d.client.wholeBytes}
}

// hold makes the claim one of n bytes in all, more or fewer than before. When
// there is no room for more it changes nothing and returns an error.
func (c *claim) hold(n int64) error {
	more := max(0, n-freeBytes) - c.taken
	switch {
	case more <= 0:
		c.all.give(-more)
		c.registry.give(-more)
	case !c.registry.take(more, c.most/3*2):
		return c.busy()
	case !c.all.take(more, c.most):
		c.registry.give(more)
		return c.busy()
	}
	c.taken += more
	return nil
}

// release gives all back. A nil claim has nothing.
func (c *claim) release() {
	if c != nil {
		_ = c.hold(0)
	}
}

func (c *claim) busy() error {
	return &oci.Error{
		Code: oci.CodeBusy, Reason: reasonMemory, RetryAfter: busyRetry,
		Message: c.what + ": too much is being read from registries at this moment",
	}
}
