package upstream

import (
	"errors"
	"hash"
	"io"

	"vouchsafe/oci"
)

// holdBytes is the most that a checkedBody keeps back.
const holdBytes = 32 << 10

// checkedBody hands content on while hashing it, one chunk late: the last chunk
// is given only after the digest has been proven, so that no reader ever has
// the whole of content that is not what its name says.
type checkedBody struct {
	source *resumedBody
	digest oci.Digest
	hash   hash.Hash
	// want is the declared size, -1 for none; got counts what has arrived.
	want, got int64
	// ready may be given. held came behind it and may not be given yet; they
	// lie in the two buffers, and next is the one to read into.
	ready, held []byte
	buffers     [2][]byte
	next        int
	// err is final. With io.EOF, held is proven.
	err error
}

func newCheckedBody(source *resumedBody, digest oci.Digest, want int64) *checkedBody {
	return &checkedBody{
		source: source, digest: digest, hash: digest.NewHash(), want: want,
		buffers: [2][]byte{make([]byte, holdBytes), make([]byte, holdBytes)},
	}
}

// Read implements [io.Reader]. It returns io.EOF only behind content that
// hashes to the digest.
func (b *checkedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(b.ready) == 0 {
		switch {
		case b.err == nil:
			b.advance()
		case len(b.held) > 0:
			b.ready, b.held = b.held, nil
		default:
			return 0, b.err
		}
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// Close implements [io.Closer].
func (b *checkedBody) Close() error { return b.source.Close() }

// advance reads the next chunk and lets go of the one before it. It is called
// only when ready has been given, so that its buffer is free.
func (b *checkedBody) advance() {
	buffer := b.buffers[b.next]
	n, err := b.source.Read(buffer)
	if n > 0 {
		b.hash.Write(buffer[:n])
		b.got += int64(n)
		b.ready, b.held = b.held, buffer[:n]
		b.next = 1 - b.next
	}
	switch {
	case b.want >= 0 && b.got > b.want:
		b.fail(b.source.mismatch("the registry sent more than it announced"))
	case err == nil:
	case !errors.Is(err, io.EOF):
		b.fail(err)
	case b.want >= 0 && b.got < b.want:
		b.fail(trouble(reasonCut, b.source.op.what, "the registry sent less than it announced"))
	case !b.digest.MatchesSum(b.hash):
		b.fail(b.source.mismatch("the registry sent other bytes"))
	default:
		b.err = io.EOF
	}
}

// fail ends the body without what is held back.
func (b *checkedBody) fail(err error) { b.held, b.err = nil, err }

// exactBody is a part of a blob: nothing proves its bytes, but it ends cleanly
// only with the announced length.
type exactBody struct {
	what   string
	source io.ReadCloser
	left   int64
}

// Read implements [io.Reader].
func (b *exactBody) Read(p []byte) (int, error) {
	n, err := b.source.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		return 0, trouble(reasonRange, b.what, "the registry sent more than it announced")
	case errors.Is(err, io.EOF) && b.left > 0:
		return n, trouble(reasonCut, b.what, "the registry sent less than it announced")
	}
	return n, err
}

// Close implements [io.Closer].
func (b *exactBody) Close() error { return b.source.Close() }
