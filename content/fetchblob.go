package content

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime/debug"
	"time"

	"vouchsafe/oci"
)

// run is the fetch of a stream, on its own goroutine. Whatever happens in it,
// its readers are told, and only a proven digest is a success.
func (b *Blobs) run(ctx context.Context, s *stream) {
	err := internalError(errors.New("fetch ended without a result"))
	defer func() {
		if p := recover(); p != nil {
			b.cfg.Log.ErrorContext(ctx, "fetch of a blob panicked", "repository", s.at.repository, "digest", s.at.digest, "panic", p, "stack", string(debug.Stack()))
			err = internalError(fmt.Errorf("fetch of a blob panicked: %v", p))
		}
		if slow, ok := errors.AsType[*oci.Error](context.Cause(ctx)); ok && err != nil {
			err = slow
		}
		b.end(s, ownDeadline(err))
	}()
	body, failed := b.openShared(ctx, s)
	if failed != nil {
		err = failed
		return
	}
	defer func() { _ = body.Close() }() // all that Read had to say was said
	err = b.fetch(ctx, s, body)
}

func internalError(cause error) error {
	return &oci.Error{Code: oci.CodeInternal, Message: "internal error", Err: cause}
}

func blobTrouble(reason, message string) error {
	return &oci.Error{Code: oci.CodeUpstream, Reason: reason, Message: message}
}

// openShared opens the blob for all who wait.
func (b *Blobs) openShared(ctx context.Context, s *stream) (io.ReadCloser, error) {
	cancel := s.cancel
	timer := time.AfterFunc(b.cfg.Timeout, func() {
		cancel(&oci.Error{Code: oci.CodeTimeout, Message: "the registry did not answer in time"})
	})
	defer timer.Stop()
	blob, err := b.upstream.OpenBlob(ctx, s.at.repository, s.at.digest, "")
	if err != nil {
		return nil, err
	}
	if blob.ContentRange != "" || !timer.Stop() {
		_ = blob.Body.Close()
		return nil, blobTrouble("bad_range", "the registry answered a part where the whole was asked for")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.size, s.open = blob.Size, true
	close(s.opened)
	return blob.Body, nil
}

// end tells the readers how the fetch went. Nothing is kept of one that failed.
func (b *Blobs) end(s *stream, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.ended, s.err = true, err
	s.cancel(nil)
	s.cancel = func(error) {} // what it knew of the first caller is not kept
	b.over(s)
	b.charge(s.registry(), -s.reserved)
	s.reserved = 0
	delete(b.waiting, s)
	if !s.open {
		close(s.opened)
	}
	if err != nil {
		b.forget(s)
	}
	s.wakeReaders()
}

// fetch reads body into pieces until its proven end. It looks one byte ahead of
// each piece, so that a full one is given before there is room for the next.
func (b *Blobs) fetch(ctx context.Context, s *stream, body io.Reader) error {
	running := s.at.digest.NewHash()
	var next [1]byte
	_, err := readSome(body, next[:])
	filled := int64(0)
	for err == nil {
		b.give(s, filled)
		var p *piece
		if p, err = b.grow(ctx, s, filled, running); err != nil {
			return err
		}
		p.buf[0] = next[0]
		filled, err = b.fill(s, p, body, running)
		if err == nil {
			_, err = readSome(body, next[:])
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return b.prove(s, filled, running)
}

// prove compares what has come with what was to come. Only here the last byte is
// given.
func (b *Blobs) prove(s *stream, filled int64, running hash.Hash) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.size >= 0 && filled != s.size {
		return blobTrouble("cut", "the registry sent less than it announced")
	}
	// The upstream has checked this already. It is checked where it is relied
	// upon, since readers go on from the middle of this hash.
	if !s.at.digest.MatchesSum(running) {
		return blobTrouble("digest_mismatch", fmt.Sprintf("the registry answered other content than %s", s.at.digest.Short()))
	}
	s.size, s.given, s.ended = filled, filled, true
	s.wakeReaders()
	return nil
}

// give lets readers read up to a position.
func (b *Blobs) give(s *stream, upTo int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if upTo > s.given {
		s.given = upTo
		s.wakeReaders()
	}
}

// fill reads into p, whose first byte is there, and gives all but the last byte
// that came. It returns how far the blob has come, with an error when p is not
// full.
func (b *Blobs) fill(s *stream, p *piece, body io.Reader, running hash.Hash) (filled int64, err error) {
	have := 1
	running.Write(p.buf[:have])
	for have < len(p.buf) && err == nil {
		var n int
		n, err = readSome(body, p.buf[have:])
		running.Write(p.buf[have : have+n])
		have += n
		b.give(s, p.from+int64(have)-1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p.buf = p.buf[:have]
	b.unpin(s, p)
	return p.from + int64(have), err
}

// grow adds a piece to a stream, pinned, and waits until there is room for it:
// for memory, and for the fastest reader.
func (b *Blobs) grow(ctx context.Context, s *stream, filled int64, running hash.Hash) (*piece, error) {
	state, err := saveHash(running)
	if err != nil {
		return nil, internalError(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	size := b.piece
	if s.size >= 0 {
		size = min(size, s.size-filled)
	}
	if size <= 0 {
		return nil, blobTrouble("digest_mismatch", "the registry sent more than it announced")
	}
	for !s.gone {
		wanted := b.wanted(s, filled, size)
		if wanted && b.takePiece(s, filled, size) {
			p := &piece{from: filled, buf: b.buffer(size), state: state, pins: 1}
			s.pieces = append(s.pieces, p)
			return p, nil
		}
		b.awaitRoom(ctx, s, wanted)
	}
	return nil, fmt.Errorf("fetch blob: %w", context.Canceled)
}

// awaitRoom waits until a reader of s moves or, when it waits for memory, until
// there is some, or until another blob may count as stalled.
func (b *Blobs) awaitRoom(ctx context.Context, s *stream, memory bool) {
	room := make(chan struct{})
	s.room = room
	var again <-chan time.Time
	if memory {
		b.waiting[s] = struct{}{}
		again = time.After(stallsAfter)
	}
	b.mu.Unlock()
	defer b.mu.Lock()
	select {
	case <-room:
	case <-again:
	case <-ctx.Done():
	}
}

// wanted reports whether the fastest reader is near enough for the next piece.
func (b *Blobs) wanted(s *stream, filled, size int64) bool {
	unread := filled - s.fastest
	return unread <= 0 || unread+size <= b.ahead(s.registry())
}

// takePiece charges the next piece if there is room for it.
func (b *Blobs) takePiece(s *stream, filled, size int64) bool {
	if s.reserved > 0 {
		rest := s.reserved - size
		s.reserved = 0
		b.charge(s.registry(), -rest)
		return true
	}
	// What is read ahead is worth no other blob's being fetched twice.
	force := byForce
	if filled > s.fastest {
		force = gently
	}
	if !b.makeRoom(s.registry(), size, force) {
		return false
	}
	b.charge(s.registry(), size)
	return true
}

// readSome reads at least one byte, or returns an error. It gives up on a reader
// that goes on giving nothing.
func readSome(r io.Reader, buf []byte) (int, error) {
	for range 100 {
		n, err := r.Read(buf)
		if n > 0 {
			return n, nil // the error comes again with the next read
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}
