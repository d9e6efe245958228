package audit

import (
	"context"
	"fmt"
	"io"
)

// WriterSink is a [Sink] over an [io.Writer], one line at a time. It is safe for
// concurrent use.
type WriterSink struct {
	w io.Writer
	// turn holds one token: who has it may write. A channel instead of a mutex,
	// so that nobody waits for a stuck writer longer than his context allows.
	turn chan struct{}
	// torn is true when the last write ended inside a line. Guarded by turn.
	torn bool
	// before is called by who has the turn, before each line; nil for nothing to
	// do.
	before func()
}

// NewWriterSink returns a sink that writes to w.
func NewWriterSink(w io.Writer) *WriterSink {
	return &WriterSink{w: w, turn: make(chan struct{}, 1)}
}

// Write implements [Sink] with one call of the writer. A short write is an
// error; the line after it begins with a newline, so that one torn record does
// not spoil the next. A writer that does not return, such as a full pipe, holds
// up this and later lines only until their contexts end.
func (s *WriterSink) Write(ctx context.Context, line []byte) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("write audit record: the line before is not written: %w", ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.turn }()
		done <- s.write(line)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("write audit record: %w", ctx.Err())
	}
}

func (s *WriterSink) write(line []byte) error {
	if s.before != nil {
		s.before()
	}
	if s.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := s.w.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if n > 0 {
		s.torn = n < len(line)
	}
	if err != nil {
		return fmt.Errorf("write audit record: %w", err)
	}
	return nil
}
