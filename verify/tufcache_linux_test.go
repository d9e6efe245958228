package verify

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAPipeForTheStateDoesNotHoldUpTheStart: nobody writes to it.
func TestAPipeForTheStateDoesNotHoldUpTheStart(t *testing.T) {
	w := newTUFWorld(t)
	if err := os.MkdirAll(filepath.Dir(w.state()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(w.state(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMirrorState(filepath.Dir(w.state())); err == nil {
		t.Error("got no error")
	}
	w.wantRoot(t, nil)
	w.mustRefresh(t)
	w.restart(nil)
	w.wantRoot(t, recordedTrust(t, "trusted_root.json"))
}
