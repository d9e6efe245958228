package content

import "time"

// stallsAfter is how long nobody takes bytes of a blob that are there before it
// counts as stalled. It is far more than a client pauses that is alive: it
// unpacks, or its disk is slow.
const stallsAfter = 5 * time.Second

// stalled reports whether no reader of s has taken anything for a while although
// each of them could. Who reads so costs no more than memory that nobody else
// wants: a thousand clients that open blobs and read nothing would otherwise
// hold all that there is.
func (s *stream) stalled(now time.Time) bool {
	return now.Sub(s.moved) >= stallsAfter && s.waited()
}

// alone reports whether s has one reader, who is slower than its fetch: nothing
// is shared, and the fetch costs him nothing that a request of his own would not.
func (s *stream) alone() bool { return len(s.readers) == 1 && s.waited() }

// waited reports whether s waits for all of its readers, and nobody is in it at
// this moment.
func (s *stream) waited() bool {
	if len(s.readers) == 0 || s.fastest >= s.given {
		return false
	}
	for _, p := range s.pieces {
		if p.pins > 0 {
			return false
		}
	}
	return true
}

// displace lets go of the blob that has been stalled for longest, among those
// that pays names, and reports whether there was one.
func (b *Blobs) displace(pays func(s *stream) bool) bool {
	now := time.Now()
	return b.displaceOne(func(s *stream) bool { return pays(s) && s.stalled(now) })
}

// displaceOne ends the stream of those that pays names whose readers have moved
// least recently. They go on by a request of their own, each when its client
// takes bytes again and not before.
func (b *Blobs) displaceOne(pays func(s *stream) bool) bool {
	var longest *stream
	for s := range b.read {
		if (longest == nil || s.moved.Before(longest.moved)) && pays(s) {
			longest = s
		}
	}
	if longest == nil {
		return false
	}
	for !longest.gone {
		b.shrink(longest) // the last piece has the last reader
	}
	b.over(longest)
	return true
}

// slot makes sure that one more fetch may run, and reports whether it may. What
// the fetches of one registry hold that cannot be taken from them is less than
// half: an eighth in all ahead of their readers, and a piece each. For a blob
// that somebody reads apart already a slow reader who is alone gives his place,
// so that a herd shares one fetch however many slow clients there are.
func (b *Blobs) slot(at place) bool {
	registry := at.repository.Registry
	ours := func(s *stream) bool { return !s.over && s.registry() == registry }
	return int64(b.running[registry]) < b.cfg.Buffer*3/8/b.piece ||
		b.displace(ours) ||
		b.apart[at] > 0 && b.displaceOne(func(s *stream) bool { return ours(s) && s.alone() })
}

// over counts a fetch out, once.
func (b *Blobs) over(s *stream) {
	if s.over {
		return
	}
	s.over = true
	registry := s.registry()
	if b.running[registry]--; b.running[registry] == 0 {
		delete(b.running, registry)
	}
}
