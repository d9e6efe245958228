package audit_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"vouchsafe/audit"
)

func TestFileSinkAppendsAndReopens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := audit.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(line string) {
		t.Helper()
		if err := sink.Write(t.Context(), []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(path, want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", filepath.Base(path), got, err, want)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	if err := sink.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	holds(path+".1", "before\none\ntwo\n")
	holds(path, "three\n")

	// A path that cannot be opened leaves the file that is open in use.
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := sink.Reopen(); err == nil {
		t.Error("a folder was opened")
	}
	write("four\n")
	holds(path+".2", "three\nfour\n")

	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	if err := sink.Write(t.Context(), []byte("five\n")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want a closed file", err)
	}
}

func TestFileSinkIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink, err := audit.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if _, err := audit.OpenFile(filepath.Join(path, "below")); err == nil {
		t.Error("a file below a file was opened")
	}
}
