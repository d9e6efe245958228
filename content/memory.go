package content

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

// force says whom memory may be taken from.
type force int

const (
	// gently takes what no reader needs any more, and from readers that have
	// stalled.
	gently force = iota + 1
	// byForce takes from slow readers too; they are served in another way.
	byForce
)

// makeRoom lets go of what is needed least until n more bytes fit, and reports
// whether they do.
func (b *Blobs) makeRoom(registry string, n int64, by force) bool {
	for b.used+n > b.cfg.Buffer {
		if !b.evict(registry, n, by) {
			return false
		}
	}
	return true
}

// evict lets go of something for n bytes of registry. A registry that has half
// of the buffer pays for more by itself, and one that has more than half pays
// for the others.
func (b *Blobs) evict(registry string, n int64, by force) bool {
	half := b.cfg.Buffer / 2
	if b.of[registry]+n > half {
		return b.evictFrom(by, func(of string) bool { return of == registry })
	}
	return b.evictFrom(by, func(of string) bool { return b.of[of] > half }) || b.evictFrom(by, func(string) bool { return true })
}

// evictFrom lets go of the blob that has been stalled for longest, else of the
// one that nobody has read for longest, else of a piece that all readers of a
// blob have passed, else of a piece that slow readers have yet to read, among
// the registries that pays names.
func (b *Blobs) evictFrom(by force, pays func(registry string) bool) bool {
	if b.displace(func(s *stream) bool { return pays(s.registry()) }) {
		return true
	}
	for e := b.idle.Front(); e != nil; e = e.Next() {
		if s, ok := e.Value.(*stream); ok && pays(s.registry()) {
			b.forget(s)
			return true
		}
	}
	return b.shrinkLargest(pays, (*stream).passed) || by == byForce && b.shrinkLargest(pays, (*stream).spares)
}

// shrinkLargest takes a piece from the largest window that may spare one.
func (b *Blobs) shrinkLargest(pays func(registry string) bool, may func(*stream) bool) bool {
	var largest *stream
	for s := range b.read {
		if pays(s.registry()) && (largest == nil || len(s.pieces) > len(largest.pieces)) && may(s) {
			largest = s
		}
	}
	if largest == nil {
		return false
	}
	b.shrink(largest)
	return true
}

// passed reports whether all readers have passed the first piece.
func (s *stream) passed() bool {
	if !s.spares() {
		return false
	}
	for r := range s.readers {
		if r.at < s.pieces[0].end() {
			return false
		}
	}
	return true
}

// spares reports whether the first piece may be taken: nobody is in it at this
// moment, and a fetch that runs has a reader that has passed it. What has been
// fetched whole may be taken from slow readers.
func (s *stream) spares() bool {
	return len(s.pieces) > 0 && s.pieces[0].pins == 0 && (s.ended || s.pieces[0].end() <= s.fastest)
}

// ahead is how far a fetch of a registry may be ahead of its fastest reader. A
// blob that came whole and is still read counts: its readers too have bytes in
// memory that nobody has taken.
func (b *Blobs) ahead(registry string) int64 {
	return max(b.piece, min(mostAhead, b.cfg.Buffer/8/int64(max(1, b.attended[registry]))))
}

// attend notes that a stream has readers, unattend that it has none.
func (b *Blobs) attend(s *stream) {
	if _, known := b.read[s]; !known {
		b.read[s] = struct{}{}
		b.attended[s.registry()]++
	}
}

func (b *Blobs) unattend(s *stream) {
	if _, known := b.read[s]; !known {
		return
	}
	delete(b.read, s)
	if b.attended[s.registry()]--; b.attended[s.registry()] == 0 {
		delete(b.attended, s.registry())
	}
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
		b.keep(p.buf[:size])
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
