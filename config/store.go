package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Store holds the snapshot in force and follows its folder. It is safe for
// concurrent use.
type Store struct {
	current atomic.Pointer[Snapshot]
	opts    LoadOptions
	cfg     StoreConfig

	// asked holds one wish to read the folder at once, mirrored one to take what
	// TUF mirrors give now.
	asked, mirrored chan struct{}

	// What follows belongs to the goroutine of Watch.

	// seen is what the last load looked at, good or bad.
	seen footprint
	// failure is why the last load was refused; empty when it was not.
	failure string
	// poll is how often the folder is looked at without being told to.
	poll time.Duration
	// notifier makes the watcher; tests take it away.
	notifier func() (*fsnotify.Watcher, error)
}

// StoreConfig configures a Store. The zero value is usable.
type StoreConfig struct {
	// Changed is called after each reload that brought something new, one at a
	// time: err is nil when snapshot came into force, else snapshot is the one
	// that stays. A reload that finds the same again, good or bad, is not told.
	Changed func(snapshot *Snapshot, err error)
	// Refreshed is called, never beside Changed, after another trusted root of a
	// TUF mirror came into force. It says nothing about the folder.
	Refreshed func(snapshot *Snapshot)
	// Log receives one line for each reload that brought something new, and one
	// for each mistake in it; nil means discarded.
	Log *slog.Logger
}

// NewStore loads the folder that opts.Settings names and returns a store that
// holds it. A default folder that is missing is the empty snapshot. What
// [Settings.CheckExposure] and [Settings.CheckAudit] refuse is an error too,
// here and on each reload.
func NewStore(opts LoadOptions, cfg StoreConfig) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{opts: opts, cfg: cfg, asked: make(chan struct{}, 1), mirrored: make(chan struct{}, 1), poll: pollInterval, notifier: fsnotify.NewWatcher}
	snapshot, err := s.load()
	if err != nil {
		return nil, err
	}
	s.current.Store(snapshot)
	return s, nil
}

// Current returns the snapshot in force.
func (s *Store) Current() *Snapshot { return s.current.Load() }

// Reload asks Watch to read the folder now, whether or not it seems changed. It
// does not wait.
func (s *Store) Reload() {
	select {
	case s.asked <- struct{}{}:
	default: // Asked already, and not read yet.
	}
}

// load reads the folder and applies what holds for a process that serves.
func (s *Store) load() (*Snapshot, error) {
	opts := s.opts
	if before := s.current.Load(); before != nil {
		opts.Previous = before
	}
	snapshot, seen, err := load(opts.Settings.ConfigDir, opts)
	s.seen = seen
	if err != nil && s.mayBeMissing(err) {
		snapshot, err = Empty(opts)
	}
	if err != nil {
		return nil, err
	}
	if before := s.current.Load(); before != nil && before.written() > 0 && snapshot.written() == 0 {
		return nil, errLastDocument
	}
	if err := opts.Settings.checkServing(snapshot); err != nil {
		return nil, err
	}
	return snapshot, nil
}

// errLastDocument is a folder in which there were documents: more likely a mount
// that went wrong than the wish to trust nothing and refuse nothing.
var errLastDocument = errors.New("the configuration folder has lost its last document")

// mayBeMissing reports whether err is that nobody ever made the default folder.
func (s *Store) mayBeMissing(err error) bool {
	if s.opts.Settings.ConfigDirNamed || !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	before := s.current.Load()
	return before == nil || before.written() == 0
}

// reload loads the folder and puts it in force, or keeps what there is.
func (s *Store) reload() {
	snapshot, err := s.load()
	if err != nil {
		s.refuse(err)
		return
	}
	before := s.current.Swap(snapshot)
	for name, registry := range before.Registries {
		if snapshot.Registries[name] != registry {
			registry.Close()
		}
	}
	recovered := s.failure != ""
	s.failure = ""
	if !recovered && before.Revision == snapshot.Revision && Problems(before.Warnings).Error() == Problems(snapshot.Warnings).Error() {
		s.cfg.Log.Debug("configuration read again, nothing new", "revision", snapshot.Revision)
		return
	}
	s.cfg.Log.Info("configuration in force", "revision", snapshot.Revision, "before", before.Revision,
		"documents", snapshot.written(), "warnings", len(snapshot.Warnings))
	if s.cfg.Changed != nil {
		s.cfg.Changed(snapshot, nil)
	}
}

// refuse keeps the snapshot in force and says so once.
func (s *Store) refuse(err error) {
	if err.Error() == s.failure {
		return
	}
	s.failure = err.Error()
	kept := s.current.Load()
	problems, inDocuments := errors.AsType[Problems](err)
	summary := err.Error()
	if inDocuments {
		summary = "1 mistake in the documents"
		if n := problems.Mistakes(); n != 1 {
			summary = fmt.Sprintf("%d mistakes in the documents", n)
		}
	}
	s.cfg.Log.Error("configuration refused, the last good one stays in force",
		"revision", kept.Revision, "loadedAt", kept.LoadedAt, "error", summary)
	const most = 100
	for _, p := range problems[:min(len(problems), most)] {
		s.cfg.Log.Error("mistake in the configuration", "file", p.File, "line", p.Line, "column", p.Column,
			"path", p.Path, "message", p.Message, "hint", p.Hint, "warning", p.Warning)
	}
	if s.cfg.Changed != nil {
		s.cfg.Changed(kept, err)
	}
}
