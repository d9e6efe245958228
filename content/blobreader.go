package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"vouchsafe/oci"
)

// reader is the body of one caller: the blob, or a part of it, from memory as
// long as its next byte is there, then by a request of its own.
type reader struct {
	blobs  *Blobs
	stream *stream
	// reopen asks the upstream for a range, done and cause are the end of the
	// caller's context.
	reopen func(byteRange string) (*oci.Blob, error)
	done   <-chan struct{}
	cause  func() error
	// end is where a part ends, -1 for the whole blob.
	end int64

	// Guarded by Blobs.mu: at is the next byte, state the running hash there once
	// the reader is behind.
	at     int64
	behind bool
	state  []byte
	closed bool

	// own is what the reader goes on with when it is behind; err is final. Both
	// are used by the one who reads.
	own *rest
	err error
}

var errClosed = errors.New("read of a closed blob")

func newReader(ctx context.Context, b *Blobs, s *stream, first, end int64) *reader {
	return &reader{
		blobs: b, stream: s, at: first, end: end, done: ctx.Done(), cause: ctx.Err,
		reopen: func(byteRange string) (*oci.Blob, error) {
			return b.upstream.OpenBlob(ctx, s.at.repository, s.at.digest, byteRange)
		},
	}
}

// Read implements [io.Reader]. It is not safe for concurrent use.
func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	var n int
	n, r.err = r.read(p)
	return n, r.err
}

func (r *reader) read(p []byte) (int, error) {
	if r.own == nil {
		from, bytes, err := r.await(len(p))
		if err != nil {
			return 0, err
		}
		if from != nil {
			// Outside of the lock: the piece is pinned.
			n := copy(p, bytes)
			r.took(from, n)
			return n, nil
		}
		r.blobs.cfg.Observe("behind")
		if err := r.goOn(); err != nil {
			return 0, err
		}
	}
	return r.own.Read(p)
}

// await returns at most n of the next bytes and the piece that has them, pinned,
// as soon as there are some; no piece and no error when they have left.
func (r *reader) await(n int) (*piece, []byte, error) {
	b, s := r.blobs, r.stream
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case r.closed:
			return nil, nil, errClosed
		case r.behind && r.finished():
			return nil, nil, io.EOF // nothing is left to ask for
		case r.behind:
			return nil, nil, nil
		case s.ended && s.err != nil:
			return nil, nil, s.err
		case r.finished():
			return nil, nil, io.EOF
		case r.at < s.given:
			p := s.pieces[(r.at-s.start)/b.piece]
			to := min(s.given, p.end(), r.at+int64(n))
			if r.end >= 0 {
				to = min(to, r.end)
			}
			p.pins++
			return p, p.buf[r.at-p.from : to-p.from], nil
		case s.ended:
			return nil, nil, io.EOF
		}
		changed := s.changes()
		b.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-r.done:
			err = fmt.Errorf("read blob %s@%s: %w", s.at.repository, s.at.digest, r.cause())
		}
		b.mu.Lock()
		if err != nil {
			return nil, nil, err
		}
	}
}

// finished reports whether a part has been read to its end.
func (r *reader) finished() bool { return r.end >= 0 && r.at >= r.end }

// took moves the reader on and lets go of the piece.
func (r *reader) took(p *piece, n int) {
	b, s := r.blobs, r.stream
	b.mu.Lock()
	defer b.mu.Unlock()
	r.at += int64(n)
	s.moved = time.Now()
	if r.at > s.fastest {
		s.fastest = r.at
		b.wakeFetch(s)
	}
	b.unpin(s, p)
}

// Close implements [io.Closer].
func (r *reader) Close() error {
	r.blobs.mu.Lock()
	closed := r.closed
	r.closed = true
	r.blobs.leave(r)
	r.blobs.mu.Unlock()
	if closed || r.own == nil {
		return nil
	}
	return r.own.body.Close()
}
