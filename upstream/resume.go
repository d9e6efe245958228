package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"vouchsafe/oci"
)

const (
	// maxBarren is how many requests for the rest of a blob may bring nothing,
	// one after the other.
	maxBarren = 3
	// maxResumed is how many there may be in all, and one more for each MiB that
	// has arrived: a registry that breaks off behind every byte ends here.
	maxResumed = 16
	// maxSkip is how much of a blob is read again from a registry that has no
	// ranges, or says that the blob has changed.
	maxSkip = 1 << 20
	// maxTagBytes bounds an entity tag that is sent back.
	maxTagBytes = 256
)

// resumedBody is the body of a blob, or of a part of one, that goes on with a
// request for the rest where an answer broke off or stalled. It proves nothing:
// whoever reads a whole blob from it hashes it from its first byte, wherever the
// bytes came from.
type resumedBody struct {
	client *Client
	op     operation
	ctx    context.Context //nolint:containedctx // a body outlives the call that opened it, as in package net/http
	cancel context.CancelFunc

	// at is the place in the blob of the next byte, end the place behind the last
	// one that this body has, size that behind the blob's. -1 is not known.
	at, end, size int64
	// whole is true when this body has every byte of the blob.
	whole bool
	// came counts bytes since the first request.
	came            int64
	barren, resumed int
	// broken is why the answer ended before its time, nil while it goes on; err is
	// final.
	broken, err error

	// mu guards the change and the end of current, and closed, since Close may come
	// during a Read.
	mu      sync.Mutex
	current *answer
	closed  bool
}

// Read implements [io.Reader].
func (b *resumedBody) Read(p []byte) (int, error) {
	for b.err == nil {
		if b.broken != nil {
			if b.err = b.resume(); b.err != nil {
				break
			}
		}
		n, err := b.current.Read(p)
		b.at += int64(n)
		b.came += int64(n)
		if n > 0 {
			b.barren = 0
		}
		switch {
		case err == nil:
			return n, nil
		case !errors.Is(err, io.EOF):
			b.broken = err
		case b.end >= 0 && b.at < b.end:
			b.broken = trouble(reasonCut, b.op.what, "the registry sent less than it announced")
		default:
			b.err = io.EOF
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// Close implements [io.Closer].
func (b *resumedBody) Close() error {
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.current.Close()
}

// resume asks for the rest until an answer has it, and returns what broke the
// one before when none does.
func (b *resumedBody) resume() error {
	broken := b.broken
	b.mu.Lock()
	_ = b.current.Close()
	b.mu.Unlock()
	for b.mayResume() {
		if b.barren > 0 {
			if err := b.client.sleep(b.ctx, b.client.jittered(firstBackoff<<(b.barren-1))); err != nil {
				return fmt.Errorf("%s: %w", b.op.what, err)
			}
		}
		b.barren++
		b.resumed++
		b.client.retried(b.op.repository.Registry)
		a, err := b.rest()
		if err == nil {
			b.broken = nil
			return b.take(a)
		}
		if b.ctx.Err() != nil {
			return err
		}
		b.broken = because(broken, err)
		if !goesOn(err) {
			break
		}
	}
	return b.broken
}

// take goes on with a.
func (b *resumedBody) take(a *answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = a.Close()
		return fmt.Errorf("%s: %w", b.op.what, context.Canceled)
	}
	b.current = a
	return nil
}

// mayResume reports whether asking for the rest may help: not against a
// registry that drips, and not without end.
func (b *resumedBody) mayResume() bool {
	return goesOn(b.broken) && b.barren < maxBarren && int64(b.resumed) < maxResumed+b.came>>20
}

// rest asks for what is missing.
func (b *resumedBody) rest() (*answer, error) {
	op := b.op
	want := byteRange{asked: true, first: b.at, last: -1}
	if b.end >= 0 {
		want.last = b.end - 1
	}
	op.byteRange = want.String()
	a, err := b.client.ask(b.ctx, op)
	if err != nil {
		return nil, err
	}
	if err := b.continues(a); err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

// continues moves a to the next byte, or reports why it does not have it.
func (b *resumedBody) continues(a *answer) error {
	switch a.status {
	case http.StatusPartialContent:
		got, ok := parseContentRange(a.header.Get("Content-Range"))
		if !ok || !b.fits(got) || a.length >= 0 && a.length != got.length() {
			return trouble(reasonRange, b.op.what, "the registry sent another rest than was asked for")
		}
		b.end = got.last + 1
		return nil
	case http.StatusOK:
		if !b.whole || b.at > maxSkip || b.size >= 0 && a.length >= 0 && a.length != b.size {
			return trouble(reasonRange, b.op.what, "the registry sent the whole in place of the rest")
		}
		if _, err := io.CopyN(io.Discard, a, b.at); err != nil {
			if errors.Is(err, io.EOF) {
				err = trouble(reasonCut, b.op.what, "the registry sent less than before")
			}
			return err
		}
		return nil
	}
	if isTransient(a.status) && a.later == 0 {
		return trouble(reasonStatus, b.op.what, "the registry answered %d", a.status)
	}
	return trouble(reasonRange, b.op.what, "the registry answered %d to a request for the rest", a.status)
}

// fits reports whether got is what is missing: its first byte, its last where
// that is known, of a blob of the same size.
func (b *resumedBody) fits(got contentRange) bool {
	if got.first != b.at || b.size >= 0 && got.size >= 0 && got.size != b.size {
		return false
	}
	if b.end >= 0 {
		return got.last == b.end-1
	}
	return got.size < 0 || got.last == got.size-1
}

// mismatch is the error of a blob that is not what its digest says.
func (b *resumedBody) mismatch(text string) error { return b.current.mismatch(b.op.what, text) }

// goesOn reports whether err is one after which the rest may still come.
func goesOn(err error) bool {
	e, ok := errors.AsType[*oci.Error](err)
	if !ok {
		return false
	}
	switch e.Reason {
	case reasonCut, reasonIdle:
		return true
	case reasonConnect, reasonHeader, reasonStatus:
		return e.Code == oci.CodeUpstream
	}
	return false
}

// because is broken with what came of going on, for the log.
func because(broken, err error) error {
	e, ok := errors.AsType[*oci.Error](broken)
	if !ok {
		return broken
	}
	told := *e
	told.Err = fmt.Errorf("resume: %w", err)
	return &told
}

// strongTag returns the strong entity tag of a (RFC 9110, section 8.8.3), ""
// for none that may be sent back.
func strongTag(header http.Header) string {
	values := header.Values("ETag")
	if len(values) != 1 {
		return ""
	}
	tag := values[0]
	inside, ok := strings.CutPrefix(tag, `"`)
	inside, ends := strings.CutSuffix(inside, `"`)
	if !ok || !ends || len(tag) > maxTagBytes {
		return ""
	}
	if strings.ContainsFunc(inside, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }) {
		return ""
	}
	return tag
}
