package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"vouchsafe/content"
	"vouchsafe/oci"
)

// depot is an upstream of blobs in memory that keeps a list of what it was asked.
// It checks nothing, so that what holds here holds by the work of content alone.
type depot struct {
	mu    sync.Mutex
	blobs map[oci.Digest][]byte
	asked []string
	// open counts bodies that are not closed.
	open int

	// sizes is false for a registry that never says how long a blob is, ranges
	// false for one that answers the whole to every range.
	sizes, ranges bool
	// before runs at each opening, wrap around each body; both may be nil.
	before func(ctx context.Context, byteRange string) error
	wrap   func(ctx context.Context, byteRange string, body io.Reader) io.Reader
}

func newDepot() *depot { return &depot{blobs: map[oci.Digest][]byte{}, sizes: true, ranges: true} }

// noise is n bytes that depend on seed.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func (d *depot) push(b []byte) oci.Digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	digest := oci.SHA256(b)
	d.blobs[digest] = b
	return digest
}

// requests returns what was asked since the last call, digests left out.
func (d *depot) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	return asked
}

func (d *depot) note(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, strings.TrimSpace(s))
}

func (d *depot) HeadBlob(_ context.Context, _ oci.Repository, digest oci.Digest) (int64, error) {
	d.note("HEAD")
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.blobs[digest]
	if !ok {
		return 0, &oci.Error{Code: oci.CodeBlobUnknown}
	}
	return int64(len(b)), nil
}

func (d *depot) OpenBlob(ctx context.Context, _ oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error) {
	d.note("GET " + byteRange)
	if d.before != nil {
		if err := d.before(ctx, byteRange); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	whole, ok := d.blobs[digest]
	if !ok {
		return nil, &oci.Error{Code: oci.CodeBlobUnknown}
	}
	blob := &oci.Blob{Size: int64(len(whole))}
	part := whole
	if from, to, ok := cutRange(byteRange, len(whole)); ok && d.ranges {
		part = whole[from:to]
		blob.Size = int64(len(part))
		blob.ContentRange = fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(whole))
	}
	if !d.sizes && blob.ContentRange == "" {
		blob.Size = -1
	}
	var body io.Reader = bytes.NewReader(part)
	if d.wrap != nil {
		body = d.wrap(ctx, byteRange, body)
	}
	d.open++
	blob.Body = &depotBody{Reader: body, ctx: ctx, depot: d}
	return blob, nil
}

func cutRange(byteRange string, size int) (from, to int, ok bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(byteRange, "bytes="), "-")
	from, err := strconv.Atoi(first)
	if !ok || err != nil {
		return 0, 0, false
	}
	to = size
	if n, err := strconv.Atoi(last); err == nil {
		to = min(size, n+1)
	}
	return from, to, from < to
}

// depotBody ends with its context, as a body of an HTTP client does.
type depotBody struct {
	io.Reader
	ctx    context.Context
	depot  *depot
	closed bool
}

func (b *depotBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}

func (b *depotBody) Close() error {
	b.depot.mu.Lock()
	defer b.depot.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.depot.open--
	}
	return nil
}

// outcomes counts what content.Blobs observes.
type outcomes struct {
	mu sync.Mutex
	of map[string]int
}

func (o *outcomes) observe(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[string]int{}
	}
	o.of[outcome]++
}

func (o *outcomes) count(outcome string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.of[outcome]
}

// opened opens a blob that is there and closes it at the end of the test.
func opened(t *testing.T, b *content.Blobs, digest oci.Digest, byteRange string) *oci.Blob {
	t.Helper()
	blob, err := b.OpenBlob(t.Context(), repository, digest, byteRange)
	if err != nil {
		t.Fatalf("open %q: %v", byteRange, err)
	}
	t.Cleanup(func() { _ = blob.Body.Close() })
	return blob
}

// read reads n bytes of a blob.
func read(t *testing.T, blob *oci.Blob, n int) []byte {
	t.Helper()
	got := make([]byte, n)
	if _, err := io.ReadFull(blob.Body, got); err != nil {
		t.Fatalf("read %d bytes: %v", n, err)
	}
	return got
}

// wantBlob reads a blob to its clean end.
func wantBlob(t *testing.T, blob *oci.Blob, want []byte) {
	t.Helper()
	got, err := io.ReadAll(blob.Body)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
	if n, err := blob.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: got %d, %v, want io.EOF", n, err)
	}
}

func wantAsked(t *testing.T, d *depot, want ...string) {
	t.Helper()
	if got := d.requests(); !slices.Equal(got, want) {
		t.Errorf("requests upstream: got %q, want %q", got, want)
	}
}

// wantNothingLeft is the end of every test of blobs: no body is open.
func wantNothingLeft(t *testing.T, d *depot) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != 0 {
		t.Errorf("%d bodies of the upstream are still open", d.open)
	}
}
