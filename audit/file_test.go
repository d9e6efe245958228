package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vouchsafe/audit"
	"vouchsafe/policy"
)

// newFile opens a sink that is closed with the test.
func newFile(t *testing.T, path string) *audit.FileSink {
	t.Helper()
	sink, err := audit.NewFileSink(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() })
	return sink
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func line(t *testing.T, sink audit.Sink, text string) {
	t.Helper()
	if err := sink.Write(t.Context(), []byte(text+"\n")); err != nil {
		t.Fatal(err)
	}
}

func TestFileSinkAppends(t *testing.T) {
	for name, test := range map[string]struct{ before, want string }{
		"to a file of its own":                    {"", "one\n"},
		"behind what is there":                    {"zero\n", "zero\none\n"},
		"behind a line that a crash left without": {"zero\nhal", "zero\nhal\none\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if test.before != "" {
				if err := os.WriteFile(path, []byte(test.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			line(t, newFile(t, path), "one")
			if got := content(t, path); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFileSinkMakesAFileThatOthersMayNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	newFile(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); mode&^0o640 != 0 {
		t.Errorf("got mode %v", mode)
	}
}

func TestFileSinkRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo, read := filepath.Join(dir, "fifo"), filepath.Join(dir, "read")
	for _, name := range []string{fifo, read} {
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := os.OpenFile(read, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for name, test := range map[string]struct {
		path string
		want error
	}{
		"a folder":                      {dir, audit.ErrNoFile},
		"a FIFO that nobody reads":      {fifo, audit.ErrNoFile},
		"a FIFO that somebody reads":    {read, audit.ErrNoFile},
		"a file in no folder":           {filepath.Join(dir, "missing", "audit.log"), fs.ErrNotExist},
		"a file in what is no folder":   {filepath.Join(fifo, "audit.log"), syscall.ENOTDIR},
		"a symbolic link to the folder": {link(t, dir), audit.ErrNoFile},
	} {
		t.Run(name, func(t *testing.T) {
			sink, err := audit.NewFileSink(test.path)
			if !errors.Is(err, test.want) || sink != nil || !strings.Contains(err.Error(), test.path) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func link(t *testing.T, target string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestReopenGoesOnInANewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path)
	line(t, sink, "one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	line(t, sink, "two") // moved, not opened anew: it goes with the file
	if err := sink.Reopen(); err != nil {
		t.Fatal(err)
	}
	line(t, sink, "three")
	if err := sink.Reopen(); err != nil { // nothing was moved
		t.Fatal(err)
	}
	line(t, sink, "four")
	if old, now := content(t, path+".1"), content(t, path); old != "one\ntwo\n" || now != "three\nfour\n" {
		t.Errorf("got %q and %q", old, now)
	}
}

func TestReopenThatFailsKeepsTheOldFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "audit.log")
	sink := newFile(t, path)
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := sink.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	line(t, sink, "one")
	if got := content(t, filepath.Join(dir+".moved", "audit.log")); got != "one\n" {
		t.Errorf("got %q", got)
	}
}

func TestClosedFileSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path)
	line(t, sink, "one")
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sink.Write(t.Context(), []byte("two\n")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("write: got %v", err)
	}
	if err := sink.Reopen(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("reopen: got %v", err)
	}
	if err := sink.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("close: got %v", err)
	}
	if got := content(t, path); got != "one\n" {
		t.Errorf("got %q", got)
	}
}

func TestRotationUnderLoadLosesAndTearsNothing(t *testing.T) {
	const writers, each = 20, 500
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path)
	log := audit.New(nil, sink, audit.Config{})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				d := decision(policy.Deny, policy.InformAndEnforce)
				d.ID = fmt.Sprintf("%02d-%03d", w, i)
				if err := log.Record(t.Context(), request(), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()
	files := []string{path}
	for running := true; running; {
		select {
		case <-written:
			running = false
		case <-time.After(2 * time.Millisecond):
			moved := fmt.Sprintf("%s.%d", path, len(files))
			if err := os.Rename(path, moved); err != nil {
				t.Fatal(err)
			}
			if err := sink.Reopen(); err != nil {
				t.Fatal(err)
			}
			files = append(files, moved)
		}
	}
	seen := map[string]int{}
	for _, name := range files {
		for record := range strings.Lines(content(t, name)) {
			var r struct{ ID string }
			if err := json.Unmarshal([]byte(record), &r); err != nil || !strings.HasSuffix(record, "\n") {
				t.Fatalf("%s has a torn record: %q", filepath.Base(name), record)
			}
			seen[r.ID]++
		}
	}
	if len(seen) != writers*each {
		t.Errorf("got %d of %d records in %d files", len(seen), writers*each, len(files))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("record %s is there %d times", id, n)
		}
	}
	t.Logf("%d records in %d files", len(seen), len(files))
}
