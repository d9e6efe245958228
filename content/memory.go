package content

import "slices"

// charge takes n bytes of the buffer for a registry, or gives -n back.
func (b *Blobs) charge(registry string, n int64) {
	b.used += n
	if b.of[registry] += n; b.of[registry] == 0 {
		delete(b.of, registry)
	}
	if n < 0 {
		for s := range b.waiting {
			b.wakeFetch(s)
		}
	}
}

// makeRoom lets go of what is needed least until n more bytes fit, and reports
// whether they do.
func (b *Blobs) makeRoom(registry string, n int64) bool {
	for b.used+n > b.cfg.Buffer {
		if !b.evict(registry, n) {
			return false
		}
	}
	return true
}

// evict lets go of something for n bytes of registry. A registry that has half
// of the buffer pays for more by itself, and one that has more than half pays
// for the others.
func (b *Blobs) evict(registry string, n int64) bool {
	half := b.cfg.Buffer / 2
	if b.of[registry]+n > half {
		return b.evictFrom(func(of string) bool { return of == registry })
	}
	return b.evictFrom(func(of string) bool { return b.of[of] > half }) || b.evictFrom(func(string) bool { return true })
}

// evictFrom lets go of the blob that nobody has read for longest, else of the
// oldest piece of the largest window, among the registries that pays names.
func (b *Blobs) evictFrom(pays func(registry string) bool) bool {
	for e := b.idle.Front(); e != nil; e = e.Next() {
		if s, ok := e.Value.(*stream); ok && pays(s.registry()) {
			b.forget(s)
			return true
		}
	}
	var largest *stream
	for s := range b.read {
		if pays(s.registry()) && s.spares() && (largest == nil || len(s.pieces) > len(largest.pieces)) {
			largest = s
		}
	}
	if largest == nil {
		return false
	}
	b.shrink(largest)
	return true
}

// spares reports whether the first piece may be taken: nobody is in it at this
// moment, and a fetch that runs has a reader that has passed it. What has been
// fetched whole may be taken from slow readers.
func (s *stream) spares() bool {
	return len(s.pieces) > 0 && s.pieces[0].pins == 0 && (s.ended || s.pieces[0].end() <= s.fastest)
}

// ahead is how far a fetch of a registry may be ahead of its fastest reader.
func (b *Blobs) ahead(registry string) int64 {
	return max(b.piece, min(mostAhead, b.cfg.Buffer/8/int64(max(1, b.running[registry]))))
}

// buffer returns n bytes that are charged already.
func (b *Blobs) buffer(n int64) []byte {
	if last := len(b.free) - 1; n == b.piece && last >= 0 {
		buf := b.free[last]
		b.free[last] = nil
		b.free = b.free[:last]
		return buf
	}
	if spare := b.used + int64(len(b.free))*b.piece - b.cfg.Buffer; spare > 0 {
		drop := min(len(b.free), int((spare+b.piece-1)/b.piece))
		b.free = slices.Delete(b.free, 0, drop)
	}
	return make([]byte, n)
}

// drop gives a piece back that has left its stream, at once or when the last
// one is out of it.
func (b *Blobs) drop(s *stream, p *piece) {
	p.left = true
	b.settle(s, p)
}

// unpin is the end of reading or writing a piece.
func (b *Blobs) unpin(s *stream, p *piece) {
	p.pins--
	b.settle(s, p)
	if p.pins == 0 {
		for waiting := range b.waiting {
			b.wakeFetch(waiting)
		}
	}
}

func (b *Blobs) settle(s *stream, p *piece) {
	if !p.left || p.pins > 0 || p.buf == nil {
		return
	}
	size := int64(cap(p.buf))
	if size == b.piece {
		b.free = append(b.free, p.buf[:size])
	}
	p.buf = nil
	b.charge(s.registry(), -size)
}

func (b *Blobs) wakeFetch(s *stream) {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	delete(b.waiting, s)
}
