package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// FileSink is a [Sink] that appends to a file. It is safe for concurrent use.
type FileSink struct {
	*WriterSink
	file *file
}

// file is a file that can be opened anew between two writes.
type file struct {
	path string
	// mu guards open. A write holds it, so no line goes to a closed file.
	mu   sync.Mutex
	open *os.File
}

// OpenFile returns a sink that appends to the file at path, made with mode 0600
// when it does not exist.
func OpenFile(path string) (*FileSink, error) {
	f := &file{path: path}
	if err := f.reopen(); err != nil {
		return nil, err
	}
	return &FileSink{WriterSink: NewWriterSink(f), file: f}, nil
}

// Reopen opens the path anew, after the file was moved away. With an error the
// file that was open stays in use.
func (s *FileSink) Reopen() error { return s.file.reopen() }

// Close closes the file; every later write is an error.
func (s *FileSink) Close() error { return s.file.swap(nil) }

// Write implements [io.Writer].
func (f *file) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		return 0, fs.ErrClosed
	}
	return f.open.Write(line)
}

func (f *file) reopen() error {
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open audit file: %w", err)
	}
	return f.swap(opened)
}

// swap puts opened in place of the file that is open, and closes that.
func (f *file) swap(opened *os.File) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.open
	f.open = opened
	if before == nil {
		return nil
	}
	if err := before.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("close audit file: %w", err)
	}
	return nil
}
