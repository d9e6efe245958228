package content

import (
	"slices"
	"time"
)

// buffer returns n bytes that are charged already.
func (b *Blobs) buffer(n int64) []byte {
	if last := len(b.free) - 1; n == b.piece && last >= 0 {
		buf := b.free[last]
		b.free[last] = nil
		b.free = b.free[:last]
		b.reused = time.Now()
		return buf
	}
	if spare := b.used + int64(len(b.free))*b.piece - b.cfg.Buffer; spare > 0 {
		drop := min(len(b.free), int((spare+b.piece-1)/b.piece))
		b.free = slices.Delete(b.free, 0, drop)
	}
	return make([]byte, n)
}

// keep puts a piece aside for the next one who needs one.
func (b *Blobs) keep(buf []byte) {
	b.free = append(b.free, buf)
	b.reused = time.Now()
	if b.tidy == nil {
		b.tidy = time.AfterFunc(keepIdle, b.quiet)
	}
}

// quiet lets go of the free pieces when none was put aside or taken for a while.
func (b *Blobs) quiet() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left := keepIdle - time.Since(b.reused); len(b.free) > 0 && left > 0 {
		b.tidy.Reset(left)
		return
	}
	b.free, b.tidy = nil, nil
}

// Release lets go of what no reader needs: blobs that nobody reads at this
// moment, and pieces that were put aside. It is for a process that is short of
// memory.
func (b *Blobs) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for e := b.idle.Front(); e != nil; e = b.idle.Front() {
		s, ok := e.Value.(*stream)
		if !ok {
			return // never: only streams enter
		}
		b.forget(s)
	}
	b.free = nil
}
