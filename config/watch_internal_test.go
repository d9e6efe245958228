package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestPollingAloneFollowsTheFolder takes away what the operating system tells,
// as network file systems do.
func TestPollingAloneFollowsTheFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "r.yaml")
	put := func(ttl string) {
		t.Helper()
		text := "apiVersion: " + APIVersion + "\nkind: Registry\nmetadata: {name: r.example.com}\nspec: {tagTTL: " + ttl + "}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("1s")
	settings, err := LoadSettings(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	settings.ConfigDir = dir
	changes := make(chan *Snapshot, 10)
	store, err := NewStore(LoadOptions{Settings: settings}, StoreConfig{Changed: func(s *Snapshot, _ error) { changes <- s }})
	if err != nil {
		t.Fatal(err)
	}
	store.notifier = func() (*fsnotify.Watcher, error) { return nil, errors.New("no inotify here") }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- store.Watch(ctx) }()
	put("2m")
	begin := time.Now()
	select {
	case s := <-changes:
		if took := time.Since(begin); took > 2*time.Second || s.Registries["r.example.com"].TagTTL() != 2*time.Minute {
			t.Errorf("took %v for a tagTTL of %v", took, s.Registries["r.example.com"].TagTTL())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no change came")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
