package content

import (
	"context"
	"io"
	"sync"

	"vouchsafe/oci"
)

// openApart opens a blob for one caller alone, since there is no room to share
// it. It is remembered for as long as it is read: whoever comes beside it has a
// reason to share.
func (b *Blobs) openApart(ctx context.Context, at place) (*oci.Blob, error) {
	b.mu.Lock()
	b.apart[at]++
	b.mu.Unlock()
	leave := sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.apart[at]--; b.apart[at] == 0 {
			delete(b.apart, at)
		}
	})
	opened := false
	defer func() {
		if !opened {
			leave() // also after a panic
		}
	}()
	blob, err := b.upstream.OpenBlob(ctx, at.repository, at.digest, "")
	if err != nil {
		return nil, err
	}
	blob.Body, opened = &apartBody{blob.Body, leave}, true
	return blob, nil
}

// apartBody is the body of a blob that is read apart.
type apartBody struct {
	io.ReadCloser
	leave func()
}

// Close implements [io.Closer].
func (a *apartBody) Close() error {
	a.leave()
	return a.ReadCloser.Close()
}
