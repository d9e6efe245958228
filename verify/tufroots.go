package verify

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// MirrorGrace is how long the last good trusted root of a mirror stays in use
// after the metadata that vouches for it has ended, while the mirror gives none
// that has not. An outage of a mirror should not become one of every pull, and
// whoever can keep the mirror away must not keep a revoked authority alive for
// ever.
const MirrorGrace = 30 * 24 * time.Hour

// MirrorsConfig configures Mirrors. The zero value keeps nothing and asks nobody.
type MirrorsConfig struct {
	// Client sends requests to mirrors; nil asks nobody.
	Client MirrorClient
	// UserAgent names this program to mirrors.
	UserAgent string
	// Folder returns the folder in which what was obtained is kept, of which this
	// process alone writes; nil keeps nothing. It is called when it is first
	// needed, again after an error, and before each write.
	Folder func() (string, error)
	// ReadOnly leaves the folder as it is.
	ReadOnly bool
	// Changed is called after a mirror gave another trusted root than before, and
	// after one that was in use went past its grace, by goroutines of Run and
	// Refresh; nil is not called. It must not wait.
	Changed func()
	// Now is the clock, nil means time.Now; After is [time.After] on that clock.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Log receives what became of each question; nil means discarded.
	Log *slog.Logger
}

// Mirrors holds the trusted roots that TUF mirrors publish: in memory, in a
// folder, and kept up by Run. Integrations are given what is there; nothing that
// loads or judges ever waits for a mirror. It is safe for concurrent use.
//
// Trust: a mirror and whoever is on the way to it are untrusted; what they give is
// verified from the operator's root.json on, and never steps back. At most they
// keep news away until the end of the metadata, and MirrorGrace.
type Mirrors struct {
	cfg MirrorsConfig
	// parsing is held while an answer of any mirror is parsed.
	parsing slot

	// mu guards what follows, and the fields of each mirror below its mu.
	mu      sync.Mutex
	folder  string
	mirrors map[string]*mirror
	// followed are those that Run keeps up, by id.
	followed map[string]*mirror
	// wake tells Run that followed has changed.
	wake chan struct{}
}

// mirror is what one source has given.
type mirror struct {
	// asking is held by whoever asks the mirror.
	asking slot
	// hurry holds one wish to ask now, paced one to look at the refresh again.
	hurry, paced chan struct{}

	// What follows is guarded by Mirrors.mu.

	source MirrorSource
	state  mirrorState
	// given is what state proves; its material is nil when nothing was obtained.
	given mirrored
	// used says whether given was in use when that was last looked at.
	used bool
	// failure is why the mirror was last asked in vain, failures how often in a
	// row; nil when it was not.
	failure  error
	failures int
}

// NewMirrors returns Mirrors that holds nothing yet and has asked nobody.
func NewMirrors(cfg MirrorsConfig) *Mirrors {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Mirrors{cfg: cfg, parsing: newSlot(), mirrors: map[string]*mirror{}, followed: map[string]*mirror{}, wake: make(chan struct{}, 1)}
}

// MirrorStatus is what is known of a mirror that is followed.
type MirrorStatus struct {
	Mirror string
	// CheckedAt is when the mirror last confirmed what is in use; zero is never.
	CheckedAt time.Time
	// Expires is when the metadata ends that vouches for it; zero when nothing was
	// ever obtained.
	Expires time.Time
	// Usable is false when nothing was obtained, or what was is past its grace.
	Usable bool
	// Failure is why the mirror was last asked in vain; nil when it was not.
	Failure error
}

// Statuses returns what is known of each mirror that is followed, in no order.
func (m *Mirrors) Statuses() []MirrorStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []MirrorStatus
	for _, one := range m.followed {
		all = append(all, MirrorStatus{
			Mirror: one.source.Mirror, CheckedAt: one.state.CheckedAt, Expires: one.given.expires,
			Usable: m.usable(one), Failure: one.failure,
		})
	}
	return all
}

// Wanting returns those of sources of which nothing was obtained, or only what
// has ended.
func (m *Mirrors) Wanting(sources []MirrorSource) []MirrorSource {
	m.mu.Lock()
	defer m.mu.Unlock()
	var wanting []MirrorSource
	for _, source := range sources {
		one, err := m.of(source)
		if err != nil || one.given.material == nil || !m.cfg.Now().Before(one.given.expires) {
			wanting = append(wanting, source)
		}
	}
	return wanting
}

// Refresh asks each of sources once, all at the same time, for at most
// MirrorTimeout. The error joins what went wrong; what was obtained is there
// nevertheless.
func (m *Mirrors) Refresh(ctx context.Context, sources []MirrorSource) error {
	errs := make([]error, len(sources))
	var all sync.WaitGroup
	for i, source := range sources {
		all.Go(func() {
			one, err := m.find(source)
			if err == nil {
				err = m.ask(ctx, one)
			}
			errs[i] = err
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// look returns the trusted root of source that is in use; else absent says why
// there is none, in words that do not change while it stays away. A nil Mirrors
// has none. The error is that of the folder.
func (m *Mirrors) look(source MirrorSource) (material *root.TrustedRoot, absent string, err error) {
	const has = "the trusted root of the TUF mirror "
	if m == nil {
		return nil, has + source.Mirror + " was not obtained yet", nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	one, err := m.of(source)
	switch {
	case err != nil:
		return nil, "", err
	case m.usable(one):
		return one.given.material, "", nil
	case one.given.material == nil:
		return nil, has + source.Mirror + " was not obtained yet", nil
	}
	return nil, has + source.Mirror + " ended at " + one.given.expires.UTC().Format(time.RFC3339) + ", and the mirror gave no newer one since", nil
}

// usable reports whether a trusted root is there and not past its grace.
func (m *Mirrors) usable(one *mirror) bool {
	return one.given.material != nil && m.cfg.Now().Before(one.given.expires.Add(MirrorGrace))
}

// find is of for those who do not hold m.mu.
func (m *Mirrors) find(source MirrorSource) (*mirror, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of(source)
}

// of returns what is known of source, read from the folder the first time.
func (m *Mirrors) of(source MirrorSource) (*mirror, error) {
	id := source.id()
	if one := m.mirrors[id]; one != nil {
		return one, nil
	}
	one := &mirror{source: source, asking: newSlot(), hurry: make(chan struct{}, 1), paced: make(chan struct{}, 1)}
	folder, err := m.open()
	if err != nil {
		return nil, err
	}
	if folder != "" {
		m.readKept(one, filepath.Join(folder, id))
	}
	one.used = m.usable(one)
	m.mirrors[id] = one
	return one, nil
}

// open returns the folder, "" for none.
func (m *Mirrors) open() (string, error) {
	if m.folder != "" || m.cfg.Folder == nil {
		return m.folder, nil
	}
	folder, err := m.cfg.Folder()
	if err != nil {
		return "", err
	}
	m.folder = folder
	return folder, nil
}

// readKept takes what was kept, as far as it verifies.
func (m *Mirrors) readKept(one *mirror, folder string) {
	state, err := readMirrorState(folder)
	if err == nil && len(state.Good.Target) > 0 {
		one.given, err = state.good(one.source.Anchor)
	}
	if err == nil {
		_, err = chain(one.source.Anchor, state.Roots)
	}
	if err != nil {
		one.given = mirrored{}
		m.cfg.Log.Warn("the kept trusted root of a TUF mirror is not used", "mirror", one.source.Mirror, "folder", folder, "error", clean(err.Error()))
		return
	}
	one.state = state
}
