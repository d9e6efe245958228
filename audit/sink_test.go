package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/audit"
)

// writer counts calls and does what it is told with the first ones.
type writer struct {
	mu    sync.Mutex
	calls int
	text  strings.Builder
	// keep says how many bytes of a call are taken; nil means all.
	keep func(call int, p []byte) (int, error)
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := len(p), error(nil)
	if w.keep != nil {
		n, err = w.keep(w.calls, p)
	}
	w.calls++
	w.text.Write(p[:n])
	return n, err
}

func TestWriterSinkWritesEachLineOnce(t *testing.T) {
	w := &writer{}
	sink := audit.NewWriterSink(w)
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			if err := sink.Write(t.Context(), fmt.Appendf(nil, "line %03d\n", i)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if lines := strings.Count(w.text.String(), "\n"); w.calls != 100 || lines != 100 || w.text.Len() != 900 {
		t.Errorf("got %d calls, %d lines, %d bytes", w.calls, lines, w.text.Len())
	}
}

func TestWriterSinkReportsFailures(t *testing.T) {
	for name, test := range map[string]struct {
		keep func(int, []byte) (int, error)
		want error
		text string
	}{
		"a short write is an error and does not spoil the next line": {
			func(call int, p []byte) (int, error) {
				if call == 0 {
					return 3, nil
				}
				return len(p), nil
			}, io.ErrShortWrite, "one\ntwo two\n",
		},
		"a write that failed in the middle does not spoil the next line": {
			func(call int, p []byte) (int, error) {
				if call == 0 {
					return 3, errSink
				}
				return len(p), nil
			}, errSink, "one\ntwo two\n",
		},
		"a write that took nothing leaves nothing": {
			func(call int, p []byte) (int, error) {
				if call == 0 {
					return 0, errSink
				}
				return len(p), nil
			}, errSink, "two two\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &writer{keep: test.keep}
			sink := audit.NewWriterSink(w)
			if err := sink.Write(t.Context(), []byte("one one\n")); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err := sink.Write(t.Context(), []byte("two two\n")); err != nil {
				t.Error(err)
			}
			if got := w.text.String(); got != test.text || w.calls != 2 {
				t.Errorf("got %q in %d calls, want %q", got, w.calls, test.text)
			}
		})
	}
}

func TestWriterSinkDoesNotWaitForAStuckWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, pipe := io.Pipe()
		sink := audit.NewWriterSink(pipe)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := sink.Write(ctx, []byte("line\n")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
			cancel()
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(reader, got); err != nil || string(got) != "line\n" {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		go func() { _, _ = io.Copy(io.Discard, reader) }()
		if err := sink.Write(t.Context(), []byte("next\n")); err != nil {
			t.Errorf("after the reader came back: %v", err)
		}
		_ = pipe.Close()
	})
}
