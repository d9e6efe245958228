package audit_test

import (
	"os"
	"path/filepath"
	"testing"

	"vouchsafe/audit"
)

func TestAFileThatWasMovedOrDeletedIsMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	sink, err := audit.NewFileSink(path)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	write := func(text string) {
		t.Helper()
		if err := sink.Write(t.Context(), []byte(text+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	want := func(step string, moved bool) {
		t.Helper()
		if got := sink.Moved(); got != moved {
			t.Errorf("%s: moved is %v, want %v", step, got, moved)
		}
	}
	write("1")
	want("at first", false)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	want("moved away", true)
	if err := sink.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("2")
	want("opened again", false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("deleted", true)
	if err := sink.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("3")
	want("made again", false)
	if got, err := os.ReadFile(path); err != nil || string(got) != "3\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
