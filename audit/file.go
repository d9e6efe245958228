package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// closeWait is how long Close waits for the line that is being written.
const closeWait = time.Second

// ErrNoFile is a path that is no file to which lines can be appended.
var ErrNoFile = errors.New("no regular file")

// errClosed is what a write to a sink says that was closed.
var errClosed = fmt.Errorf("audit file: %w", fs.ErrClosed)

// FileSink is a [Sink] that appends to a file, which can be moved away and opened
// anew while records are written. It is safe for concurrent use.
//
// Trust: the folder and the file are the operator's. Whoever may write them can
// change what was recorded.
type FileSink struct {
	path  string
	lines *WriterSink
	// current is the file that takes lines. Guarded by lines.turn.
	current *os.File
	// next is a file that was opened anew and takes the next line; nil when there
	// is none. A channel would make Reopen wait for a disk that hangs.
	next atomic.Pointer[os.File]
	// opened is what the file that was opened last is, to be found at path.
	opened atomic.Pointer[fs.FileInfo]
	closed atomic.Bool
}

var _ Sink = (*FileSink)(nil)

// NewFileSink opens the file at path for appending, or makes it, readable by its
// owner and group. Its folder must exist. What is neither a regular file nor a
// character device is an [ErrNoFile]: a FIFO would hold up every decision when
// nobody reads it.
func NewFileSink(path string) (*FileSink, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &FileSink{path: path, current: file}
	s.note(file)
	s.lines = NewWriterSink(lastOpened{s})
	s.lines.torn = endsInsideLine(path)
	s.lines.before = s.take
	return s, nil
}

// Write implements [Sink] as [WriterSink] does.
func (s *FileSink) Write(ctx context.Context, line []byte) error {
	if s.closed.Load() {
		return errClosed
	}
	return s.lines.Write(ctx, line)
}

// Reopen opens the file at the path anew, for whoever moved the old one away. A
// line that is being written still goes to the old one. When it fails, the old
// one goes on taking lines. It waits for no line.
func (s *FileSink) Reopen() error {
	if s.closed.Load() {
		return errClosed
	}
	file, err := openFile(s.path)
	if err != nil {
		return err
	}
	s.note(file)
	if unused := s.next.Swap(file); unused != nil {
		_ = unused.Close() // nothing was written to it
	}
	select {
	case s.lines.turn <- struct{}{}: // nobody writes: the old file is let go at once
		s.take()
		<-s.lines.turn
	default:
	}
	return nil
}

// note remembers what file is. A file that says nothing of itself is not missed.
func (s *FileSink) note(file *os.File) {
	if info, err := file.Stat(); err == nil {
		s.opened.Store(&info)
	}
}

// Moved reports whether the path names another file than the one that takes lines,
// or none: it was moved away or deleted, and what is written to it may be found by
// nobody.
func (s *FileSink) Moved() bool {
	opened := s.opened.Load()
	if opened == nil {
		return false
	}
	now, err := os.Stat(s.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(*opened, now)
}

// Close closes the file, behind the line that is being written unless that takes
// longer than a second. Later writes fail.
func (s *FileSink) Close() error {
	if s.closed.Swap(true) {
		return errClosed
	}
	select {
	case s.lines.turn <- struct{}{}:
	case <-time.After(closeWait):
		return errors.New("audit file: not closed: its last line is not written")
	}
	defer func() { <-s.lines.turn }()
	s.take()
	if err := s.current.Close(); err != nil {
		return fmt.Errorf("close audit file: %w", err)
	}
	return nil
}

// take puts a file that was opened anew in place of the current one. It needs
// the turn.
func (s *FileSink) take() {
	file := s.next.Swap(nil)
	if file == nil {
		return
	}
	before, err := s.current.Stat()
	after, errAfter := file.Stat()
	if err != nil || errAfter != nil || !os.SameFile(before, after) {
		s.lines.torn = endsInsideLine(s.path)
	}
	// All its lines were handed to the system: what a close can still report is
	// of no line in particular.
	_ = s.current.Close()
	s.current = file
}

// lastOpened writes to a sink's current file. It needs the turn.
type lastOpened struct{ s *FileSink }

// Write implements [io.Writer].
func (w lastOpened) Write(line []byte) (int, error) { return w.s.current.Write(line) }

// openFile opens path for appending. Without O_NONBLOCK the opening of a FIFO
// would wait for a reader; on files it changes nothing.
func openFile(path string) (*os.File, error) {
	const flags = os.O_APPEND | os.O_CREATE | os.O_WRONLY | syscall.O_NONBLOCK
	file, err := os.OpenFile(path, flags, 0o640) //nolint:gosec // the operator names it, and a group reads it
	if errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EISDIR) {
		return nil, fmt.Errorf("open audit file %s: %w", path, ErrNoFile)
	}
	if err != nil {
		return nil, fmt.Errorf("open audit file: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeDevice|fs.ModeCharDevice {
		err = ErrNoFile
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit file %s: %w", path, err), file.Close())
	}
	return file, nil
}

// endsInsideLine reports whether a file ends without a newline, as after a crash
// in the middle of a write. A file that may not be read is taken to end well.
func endsInsideLine(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // it was only read
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return last[0] != '\n'
}
