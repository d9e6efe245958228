package content

import (
	"bytes"
	"context"
	"io"
	"testing"

	"vouchsafe/oci"
)

// oneBlob is an upstream with a blob of which it gives the rest when told to.
type oneBlob struct {
	first []byte
	more  io.Reader
}

func (o oneBlob) OpenBlob(context.Context, oci.Repository, oci.Digest, string) (*oci.Blob, error) {
	return &oci.Blob{Body: io.NopCloser(io.MultiReader(bytes.NewReader(o.first), o.more)), Size: -1}, nil
}

func (oneBlob) HeadBlob(context.Context, oci.Repository, oci.Digest) (int64, error) { return -1, nil }

// A piece that is read at this moment, and one that nobody has read of a fetch
// that runs, are not to be had, whoever needs the memory.
func TestWhatIsNotSpared(t *testing.T) {
	const piece = 1 << 10
	wait, end := io.Pipe()
	b := NewBlobs(oneBlob{make([]byte, 2*piece+1), wait}, BlobsConfig{Buffer: pieces * piece})
	at := place{oci.Repository{Registry: "registry.test", Path: "acme"}, oci.SHA256(nil)}
	r, _ := b.join(t.Context(), at)
	defer r.Close()
	defer end.Close()
	evict := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.evict("other.test", piece, byForce)
	}
	first, got, err := r.await(piece)
	if err != nil {
		t.Fatal(err)
	}
	if evict() {
		t.Error("a piece was taken that is being read, by its only reader")
	}
	r.took(first, len(got))
	for r.at < piece {
		p, got, err := r.await(int(piece - r.at))
		if err != nil {
			t.Fatal(err)
		}
		r.took(p, len(got))
	}
	other := func() *reader {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.enter(t.Context(), r.stream, 0, -1)
	}()
	defer other.Close()
	pinned, got, err := other.await(10)
	if err != nil {
		t.Fatal(err)
	}
	if evict() {
		t.Error("a piece was taken that is being read")
	}
	other.took(pinned, len(got))
	if !evict() || !other.behind || r.behind {
		t.Errorf("the piece that the fastest reader has passed was not taken (behind: %t, %t)", other.behind, r.behind)
	}
	if evict() {
		t.Error("a piece was taken that nobody has read")
	}
}
