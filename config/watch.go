package config

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quietPeriod is how long nothing may change before a reload.
	quietPeriod = 300 * time.Millisecond
	// maxDelay is when a reload comes although changes go on.
	maxDelay = 1500 * time.Millisecond
	// pollInterval is how often the folder is looked at, for file systems that do
	// not tell.
	pollInterval = time.Second
	// retryInterval is how often a refused folder is read again although nothing
	// seems to have changed: a read may have failed for a moment.
	retryInterval = 5 * time.Second
)

// Watch follows the folder until ctx ends, then returns nil: changes are loaded
// after 300 ms of quiet and in force within 2 s, symlinked ConfigMap folders
// included. A bad reload, a vanished folder and one that lost its last document
// leave the last good snapshot in force. It must be called at most once.
func (s *Store) Watch(ctx context.Context) error {
	w := s.newWatch()
	defer w.close()
	w.follow()
	poll := time.NewTicker(s.poll)
	defer poll.Stop()
	quiet := time.NewTimer(quietPeriod)
	defer quiet.Stop()
	lastTry := time.Now()
	// The folder may have changed between the first load and now; what changes
	// from here on is told.
	if !s.seen.changed(s.opts.Settings.ConfigDir) {
		quiet.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.asked:
			quiet.Reset(0)
		case <-s.mirrored:
			s.refresh()
		case event := <-w.events():
			if w.matters(event) {
				quiet.Reset(w.touched())
			}
		case err := <-w.failures():
			// Most likely too many events at once: look for ourselves.
			s.cfg.Log.Debug("following the configuration folder failed, it is read again", "error", err)
			quiet.Reset(w.touched())
		case <-poll.C:
			overdue := s.failure != "" && time.Since(lastTry) >= retryInterval
			if overdue || s.seen.changed(s.opts.Settings.ConfigDir) {
				quiet.Reset(w.touched())
			}
		case <-quiet.C:
			w.since = time.Time{}
			lastTry = time.Now()
			// Folders first, so that what changes during the load is told.
			w.follow()
			s.reload()
			w.follow()
		}
	}
}

// watch is the part of following a folder that the operating system does.
type watch struct {
	store *Store
	// notify is nil where the system cannot tell; then only polling is left.
	notify *fsnotify.Watcher
	// since is when the first change came that is not loaded yet.
	since time.Time
	// folders are those watched; the value is true for a folder of documents.
	folders map[string]bool
}

func (s *Store) newWatch() *watch {
	w := &watch{store: s, folders: map[string]bool{}}
	notify, err := s.notifier()
	if err != nil {
		s.cfg.Log.Warn("configuration is followed by polling alone", "error", err)
		return w
	}
	w.notify = notify
	return w
}

func (w *watch) close() {
	if w.notify != nil {
		_ = w.notify.Close() // nothing is left to tell
	}
}

func (w *watch) events() <-chan fsnotify.Event {
	if w.notify == nil {
		return nil
	}
	return w.notify.Events
}

func (w *watch) failures() <-chan error {
	if w.notify == nil {
		return nil
	}
	return w.notify.Errors
}

// touched notes a change and returns how long to wait for quiet.
func (w *watch) touched() time.Duration {
	now := time.Now()
	if w.since.IsZero() {
		w.since = now
	}
	return max(0, min(quietPeriod, w.since.Add(maxDelay).Sub(now)))
}

// matters reports whether an event can change the documents. A folder with a
// certificate in it may hold anything else, and editors write files of their
// own.
func (w *watch) matters(event fsnotify.Event) bool {
	const mounted = "..data" // what a ConfigMap or Secret swaps
	name := filepath.Clean(event.Name)
	base := filepath.Base(name)
	if base == mounted {
		return true
	}
	if _, named := w.store.seen.references[name]; named {
		return true
	}
	if _, folder := w.folders[name]; folder {
		return true
	}
	return w.folders[filepath.Dir(name)] && !strings.HasPrefix(base, ".")
}

// follow watches the folders that the last load looked into, those of the files
// that documents name, and the folder above, in which a new one would appear.
func (w *watch) follow() {
	if w.notify == nil {
		return
	}
	wanted := w.wanted()
	for _, path := range w.notify.WatchList() {
		if _, keep := wanted[path]; !keep {
			_ = w.notify.Remove(path) // it may be gone already
		}
	}
	listed := w.notify.WatchList()
	for path := range wanted {
		if !slices.Contains(listed, path) {
			// What cannot be watched is polled.
			_ = w.notify.Add(path)
		}
	}
	w.folders = wanted
}

func (w *watch) wanted() map[string]bool {
	dir := w.store.opts.Settings.ConfigDir
	wanted := map[string]bool{}
	for name := range w.store.seen.references {
		wanted[filepath.Dir(name)] = false
	}
	roots := []string{filepath.Clean(dir)}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil && resolved != roots[0] {
		roots = append(roots, resolved)
	}
	for _, root := range roots {
		if _, known := wanted[filepath.Dir(root)]; !known {
			wanted[filepath.Dir(root)] = false
		}
		for _, folder := range w.store.seen.tree.folders {
			wanted[filepath.Join(root, filepath.FromSlash(folder))] = true
		}
		wanted[root] = true
	}
	return wanted
}
