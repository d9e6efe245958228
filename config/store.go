package config

import (
	"context"
	"log/slog"
)

// Store holds the snapshot in force and follows its folder. It is safe for
// concurrent use.
type Store struct{}

// StoreConfig configures a Store. The zero value is usable.
type StoreConfig struct {
	// Changed is called after each reload, good or bad, one at a time: err is
	// nil when snapshot came into force, else snapshot is the one that stays.
	Changed func(snapshot *Snapshot, err error)
	// Log receives one line for each reload; nil means discarded.
	Log *slog.Logger
}

// NewStore loads the folder that opts.Settings names and returns a store that
// holds it. A default folder that is missing is the empty snapshot.
func NewStore(opts LoadOptions, cfg StoreConfig) (*Store, error) { panic("not built yet") }

// Current returns the snapshot in force.
func (s *Store) Current() *Snapshot { panic("not built yet") }

// Watch follows the folder until ctx ends: changes are loaded after 300 ms of
// quiet and in force within 2 s, symlinked ConfigMap folders included. A bad
// reload, a vanished folder and one that lost its last document leave the last
// good snapshot in force.
func (s *Store) Watch(ctx context.Context) error { panic("not built yet") }
