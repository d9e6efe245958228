package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestNobodyWaitsForADiskThatHangs takes the turn, as a write does that the disk
// does not return from.
func TestNobodyWaitsForADiskThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	synctest.Test(t, func(t *testing.T) {
		sink, err := NewFileSink(path)
		if err != nil {
			t.Fatal(err)
		}
		sink.lines.turn <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := sink.Write(ctx, []byte("one\n")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("write: got %v, want a deadline", err)
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := errors.Join(sink.Reopen(), sink.Reopen()); err != nil || time.Since(begin) != 0 {
			t.Errorf("reopen: got %v after %v", err, time.Since(begin))
		}
		<-sink.lines.turn // the disk is back
		if err := sink.Write(t.Context(), []byte("two\n")); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "two\n" {
			t.Errorf("got %q, %v in the new file", b, err)
		}
		sink.lines.turn <- struct{}{} // and hangs again
		if err := sink.Close(); err == nil || time.Since(begin) != closeWait {
			t.Errorf("close: got %v after %v", err, time.Since(begin))
		}
		if err := sink.current.Close(); err != nil {
			t.Error(err)
		}
	})
}
