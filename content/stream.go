package content

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// stream is one fetch of a whole blob and what is in memory of it: the bytes
// from start to given. All but at and opened is guarded by Blobs.mu.
type stream struct {
	at place
	// opened is closed when the upstream has answered or failed.
	opened chan struct{}
	cancel context.CancelCauseFunc

	// open is true once there is a body, size is what it announced, -1 for
	// nothing.
	open bool
	size int64
	// pieces follow each other without a gap; start is where the first begins.
	// A piece leaves at the front alone.
	pieces []*piece
	start  int64
	// given is how far readers may read. One byte more may have come: the last
	// one is kept back until the digest is proven.
	given int64
	// readers have their next byte at start or behind it; fastest is the
	// position of the foremost.
	readers map[*reader]struct{}
	fastest int64
	// moved is when a reader last came or took something.
	moved time.Time
	// reserved is memory that is the first piece's.
	reserved int64
	// ended is true when the fetch is over; with a nil err the blob is proven.
	ended bool
	err   error
	// over is true when the fetch does not count as running any more.
	over bool
	// gone is true when nothing of the stream is in memory any more.
	gone bool
	// changed is closed when there is more to read, room when the fetch may look
	// for a piece again; both are nil when nobody waits.
	changed, room chan struct{}
	// since is the place among the idle, expire its end.
	since  *list.Element
	expire *time.Timer
}

// piece is a run of bytes of a blob. Its bytes never change once they are given;
// from and state never do.
type piece struct {
	from int64
	buf  []byte
	// state is the running hash of all bytes in front of the piece.
	state []byte
	// pins are those who read or write it at this moment; it leaves memory when
	// they have done so. left is true when it has left its stream.
	pins int
	left bool
}

func (p *piece) end() int64 { return p.from + int64(len(p.buf)) }

func (s *stream) registry() string { return s.at.repository.Registry }

// join makes a reader of the blob from its beginning and starts a fetch when
// there is none that still has it. It returns nil when there is no room.
func (b *Blobs) join(ctx context.Context, at place) (*reader, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.streams[at]
	if s != nil && s.start == 0 {
		return b.enter(ctx, s, 0, -1), "shared"
	}
	registry, outcome := at.repository.Registry, "fetch"
	if s != nil {
		outcome = "late"
	}
	if !b.slot(at) || !b.makeRoom(registry, b.piece+blobOverhead, byForce) {
		return nil, "unshared"
	}
	b.charge(registry, b.piece+blobOverhead)
	b.running[registry]++
	// The one who came first may leave without taking the blob from the others.
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s = &stream{
		at: at, opened: make(chan struct{}), cancel: cancel, size: -1, reserved: b.piece,
		readers: map[*reader]struct{}{},
	}
	b.streams[at] = s
	r := b.enter(ctx, s, 0, -1)
	go b.run(running, s)
	return r, outcome
}

// openedSize returns the size of a stream whose opening is over.
func (b *Blobs) openedSize(s *stream) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !s.open {
		return 0, s.err
	}
	return s.size, nil
}

// enter adds a reader from first to end, which is -1 for the blob's own.
func (b *Blobs) enter(ctx context.Context, s *stream, first, end int64) *reader {
	r := newReader(ctx, b, s, first, end)
	if s.since != nil {
		b.idle.Remove(s.since)
		s.expire.Stop()
		s.since, s.expire = nil, nil
	}
	s.readers[r] = struct{}{}
	b.attend(s)
	s.moved = time.Now()
	if first > s.fastest {
		s.fastest = first
		b.wakeFetch(s)
	}
	return r
}

// leave takes a reader out. With the last one a fetch ends; a whole blob stays
// for a while.
func (b *Blobs) leave(r *reader) {
	s := r.stream
	if _, inside := s.readers[r]; !inside {
		return
	}
	delete(s.readers, r)
	switch {
	case len(s.readers) > 0:
		b.measure(s, r)
	case s.gone:
	case s.ended && s.start == 0:
		b.unattend(s)
		s.since = b.idle.PushBack(s)
		s.expire = time.AfterFunc(keepIdle, func() { b.expired(s) })
	default:
		b.forget(s)
	}
}

// measure finds the foremost reader after r has gone.
func (b *Blobs) measure(s *stream, r *reader) {
	if s.ended || r.at < s.fastest {
		return
	}
	s.fastest = 0
	for other := range s.readers {
		s.fastest = max(s.fastest, other.at)
	}
}

func (b *Blobs) expired(s *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.since != nil {
		b.forget(s)
		b.free = nil // in a quiet time nothing is kept
	}
}

// forget ends a stream that has no reader or has failed.
func (b *Blobs) forget(s *stream) {
	if s.gone {
		return
	}
	s.gone = true
	s.cancel(nil)
	if b.streams[s.at] == s {
		delete(b.streams, s.at)
	}
	b.unattend(s)
	if s.since != nil {
		b.idle.Remove(s.since)
		s.expire.Stop()
		s.since, s.expire = nil, nil
	}
	for _, p := range s.pieces {
		b.drop(s, p)
	}
	s.pieces = nil
	b.charge(s.registry(), -s.reserved-blobOverhead)
	s.reserved = 0
	s.wakeReaders()
}

// shrink takes the first piece out of a stream. Readers that were in it go on by
// themselves.
func (b *Blobs) shrink(s *stream) {
	p := s.pieces[0]
	s.pieces[0] = nil
	s.pieces = s.pieces[1:]
	s.start = p.end()
	var behind []*reader
	for r := range s.readers {
		if r.at < s.start {
			behind = append(behind, r)
			delete(s.readers, r)
		}
	}
	// One pass over the piece serves them all.
	slices.SortFunc(behind, func(a, b *reader) int { return int(a.at - b.at) })
	leaveBehind(s.at.digest, p, behind)
	b.drop(s, p)
	if len(s.readers) == 0 {
		b.forget(s)
	}
	s.wakeReaders()
}

func (s *stream) wakeReaders() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// changes returns what is closed at the next change.
func (s *stream) changes() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}
