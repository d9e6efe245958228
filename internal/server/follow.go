package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// maxFileBytes bounds files that are followed: certificates, keys, tokens.
const maxFileBytes = 2 << 20

// ErrFile is a file that cannot be what it should be: no regular file, or too
// large.
var ErrFile = errors.New("unusable file")

// Watcher remembers what files held. It is for one goroutine.
type Watcher struct {
	files []string
	state [][sha256.Size]byte
}

// Watch returns a Watcher of files as they are now; it is made before they are
// read for the first time, so that no change falls in between. A file that
// cannot be read is a state like any other. Symbolic links are followed at every
// look, so that a mounted Secret works, whose files are replaced by a swap.
func Watch(files ...string) *Watcher {
	return &Watcher{files: files, state: states(files)}
}

// Follow looks at the files each interval, and calls changed when what one of
// them holds is not what it was at the look before, until ctx ends.
func (w *Watcher) Follow(ctx context.Context, interval time.Duration, changed func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// Times and sizes can stay the same over a change; these files are small.
		if now := states(w.files); !slices.Equal(now, w.state) {
			w.state = now
			changed()
		}
	}
}

// Follow watches files from now on: it calls changed when the content of one has
// changed, looking each interval, until ctx ends. A change between a reading
// before this call and the call is not seen; [Watch] closes that gap.
func Follow(ctx context.Context, interval time.Duration, files []string, changed func()) {
	Watch(files...).Follow(ctx, interval, changed)
}

// states returns one sum for each file: of its content, or of the error.
func states(files []string) [][sha256.Size]byte {
	sums := make([][sha256.Size]byte, len(files))
	for i, name := range files {
		content, err := ReadFile(name)
		if err != nil {
			content = []byte("error: " + err.Error())
		}
		sums[i] = sha256.Sum256(content)
	}
	return sums
}

// ReadFile returns the content of a regular file of at most 2 MiB; anything else
// is an [ErrFile]. A FIFO, whose opening would wait for a writer, is never
// opened.
func ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no regular file", ErrFile, name)
	}
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrFile, name, maxFileBytes)
	}
	return content, nil
}
