package content

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"vouchsafe/oci"
)

// BlobUpstream is where blobs come from. Bodies hold to what [oci.Blob] says,
// and every read from them ends in bounded time; errors are [oci.Error] values
// or wrap a context error.
type BlobUpstream interface {
	// OpenBlob opens a blob, or the part that byteRange asks for (the value of a
	// Range header with one range; empty means the whole). It may give the whole
	// where a part was asked for. The caller closes the body, which lives no
	// longer than ctx.
	OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error)
	// HeadBlob returns a blob's size, -1 when not known.
	HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error)
}

// BlobsConfig configures Blobs. The zero value is usable.
type BlobsConfig struct {
	// Buffer bounds the bytes of blobs in memory, those under way included; zero
	// or less means 64 MiB.
	Buffer int64
	// Timeout bounds the opening of a fetch that is shared, whoever still waits;
	// zero means 25 s.
	Timeout time.Duration
	// Observe is called once for each blob or part that is opened, and once more
	// for a reader that falls behind; nil means not observed. The outcomes are
	// "fetch" for a new fetch that others may share, "late" for one that was
	// needed because the beginning had left memory, "shared" for a reader of a
	// fetch under way or of what is in memory, "range" for a part that had to be
	// asked for, "unshared" when there was no room, and "behind" for a reader
	// whose next bytes left before it took them.
	Observe func(outcome string)
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
}

const (
	defaultBuffer = 64 << 20
	// largestPiece is how much leaves memory at once.
	largestPiece = 128 << 10
	// pieces is how many there are at least: a smaller buffer has smaller ones.
	pieces = 16
	// blobOverhead is what a blob in memory costs beside its bytes.
	blobOverhead = 2 << 10
	// mostAhead is how far a fetch runs ahead of its fastest reader.
	mostAhead = 1 << 20
	// keepIdle is how long a whole blob stays after its last reader, unless its
	// memory is needed before.
	keepIdle = time.Minute
)

// Blobs lets readers of one blob share one fetch. It is a window over what
// passes, not a store: bytes leave when others need the memory. It has the
// methods of a [BlobUpstream] and is safe for concurrent use.
//
// A whole blob is hashed here as it passes: nobody is given its last byte before
// the digest is proven, wherever the bytes before it came from.
type Blobs struct {
	upstream BlobUpstream
	cfg      BlobsConfig
	// piece is the size of all pieces of a blob but the last.
	piece int64

	mu sync.Mutex // guards all below, and what stream, piece and reader say
	// streams are those that can be joined.
	streams map[place]*stream
	// read are the streams that have readers, idle those that have none, the
	// one that has waited longest in front.
	read map[*stream]struct{}
	idle list.List
	// attended counts by registry the streams of read.
	attended map[string]int
	// apart counts the readers of blobs that are not shared for want of room.
	apart map[place]int
	// running counts by registry the fetches that have not ended.
	running map[string]int
	// waiting are the streams whose fetch waits for memory.
	waiting map[*stream]struct{}
	// used is how much of the buffer is taken, of how much of that is of one
	// registry.
	used int64
	of   map[string]int64
	// free are pieces that are used again. With them the memory taken is still
	// no more than the buffer. reused is when one was last put there or taken,
	// tidy is nil while there is nothing to let go of.
	free   [][]byte
	reused time.Time
	tidy   *time.Timer
}

// NewBlobs returns a Blobs over up.
func NewBlobs(up BlobUpstream, cfg BlobsConfig) *Blobs {
	if cfg.Buffer <= 0 {
		cfg.Buffer = defaultBuffer
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Blobs{
		upstream: up,
		cfg:      cfg,
		piece:    max(1, min(largestPiece, cfg.Buffer/pieces)),
		streams:  map[place]*stream{},
		read:     map[*stream]struct{}{},
		running:  map[string]int{},
		attended: map[string]int{},
		apart:    map[place]int{},
		waiting:  map[*stream]struct{}{},
		of:       map[string]int64{},
	}
}

// Bytes returns how many bytes of the buffer are in memory, those included that
// are kept to be used again.
func (b *Blobs) Bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	// What is reserved and not there yet counts twice, as long as there is a free
	// piece that it will be.
	return min(b.cfg.Buffer, b.used+int64(len(b.free))*b.piece)
}

// OpenBlob opens a blob, or the part that byteRange asks for, as
// [BlobUpstream] does. The body ends with ctx. Callers that come while a blob
// is being opened share its error; nobody after them does.
func (b *Blobs) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open blob %s@%s: %w", repository, digest, err)
	}
	at := place{repository, digest}
	if byteRange != "" || digest.IsZero() {
		if blob := b.joinPart(ctx, at, byteRange); blob != nil {
			b.cfg.Observe("shared")
			return blob, nil
		}
		b.cfg.Observe("range")
		return b.upstream.OpenBlob(ctx, repository, digest, byteRange)
	}
	r, outcome := b.join(ctx, at)
	b.cfg.Observe(outcome)
	if r == nil {
		return b.openApart(ctx, at)
	}
	select {
	case <-r.stream.opened:
	case <-ctx.Done():
		_ = r.Close()
		return nil, fmt.Errorf("open blob %s@%s: %w", repository, digest, ctx.Err())
	}
	size, err := b.openedSize(r.stream)
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return &oci.Blob{Body: r, Size: size}, nil
}

// HeadBlob returns a blob's size, -1 when not known.
func (b *Blobs) HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error) {
	b.mu.Lock()
	s, size := b.streams[place{repository, digest}], int64(-1)
	if s != nil && s.open {
		size = s.size
	}
	b.mu.Unlock()
	if size >= 0 {
		return size, nil
	}
	return b.upstream.HeadBlob(ctx, repository, digest)
}
