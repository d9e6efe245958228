package verify

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"sync"
	"time"
)

const (
	// firstRetry is how long after a failure a mirror is asked again; the time
	// doubles up to lastRetry, or what is wanted as refresh if that is less.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
	// jitterPart is the part of a pause that is left to chance, so that many
	// gateways do not ask together.
	jitterPart = 10
)

// Follow says which sources Run keeps up: those in force, and no others. Of
// sources with the same mirror and root file the shortest refresh counts.
func (m *Mirrors) Follow(sources []MirrorSource) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	followed := map[string]*mirror{}
	for _, source := range sources {
		one, err := m.of(source)
		if err != nil {
			return err
		}
		if followed[source.id()] == nil || source.Refresh < one.source.Refresh {
			one.source.Refresh = source.Refresh
		}
		tell(one.paced)
		followed[source.id()] = one
	}
	m.followed = followed
	m.mirrors = make(map[string]*mirror, len(followed))
	for id, one := range followed {
		m.mirrors[id] = one
	}
	tell(m.wake)
	return nil
}

// tell wakes whoever waits for c, once for any number of times.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // It was told already.
	}
}

// Hurry has each mirror that is followed asked now. It does not wait.
func (m *Mirrors) Hurry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.followed {
		tell(one.hurry)
	}
}

// Run keeps up the sources that are followed until ctx ends. It must be called at
// most once.
func (m *Mirrors) Run(ctx context.Context) {
	running := map[*mirror]context.CancelFunc{}
	var all sync.WaitGroup
	defer all.Wait()
	for {
		m.mu.Lock()
		wanted := map[*mirror]bool{}
		for _, one := range m.followed {
			wanted[one] = true
		}
		m.mu.Unlock()
		for one, stop := range running {
			if !wanted[one] {
				stop()
				delete(running, one)
			}
		}
		for one := range wanted {
			if running[one] == nil {
				following, stop := context.WithCancel(ctx)
				running[one] = stop
				all.Go(func() { m.keepUp(following, one) })
			}
		}
		select {
		case <-ctx.Done():
			for _, stop := range running {
				stop()
			}
			return
		case <-m.wake:
		}
	}
}

// keepUp asks one mirror again and again.
func (m *Mirrors) keepUp(ctx context.Context, one *mirror) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-one.paced:
			continue
		case <-one.hurry:
		case <-m.cfg.After(m.pause(one)):
		}
		_ = m.ask(ctx, one) // it is logged, shown and tried again
	}
}

// pause is how long a mirror is left alone from now on.
func (m *Mirrors) pause(one *mirror) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, wait := m.cfg.Now(), time.Duration(0)
	switch checked := one.state.CheckedAt; {
	case one.failures > 0:
		wait = min(firstRetry<<min(one.failures-1, 16), lastRetry, one.source.Refresh)
	case one.given.material == nil || checked.After(now):
		// Never asked, or by a clock that was wrong.
		return 0
	default:
		// What ends before is asked for when it ends.
		wait = min(checked.Add(one.source.Refresh).Sub(now), one.given.expires.Sub(now))
	}
	if wait <= 0 {
		return 0
	}
	return wait - rand.N(wait/jitterPart+1) //nolint:gosec // chance spreads requests, it keeps no secret
}

// ask asks one mirror once and takes what it gave.
func (m *Mirrors) ask(ctx context.Context, one *mirror) error {
	if err := one.asking.take(ctx); err != nil {
		return err
	}
	defer one.asking.give()
	ctx, cancel := context.WithTimeout(ctx, MirrorTimeout)
	defer cancel()
	m.mu.Lock()
	source, state, before := one.source, one.state, one.given
	m.mu.Unlock()
	update := &mirrorUpdate{
		source: source, state: state, now: m.cfg.Now().UTC(),
		mirror: &mirrorFetcher{client: m.cfg.Client, agent: m.cfg.UserAgent, base: source.Mirror, turn: turn{parsing: m.parsing}},
	}
	given, err := update.outcome(ctx, before)
	if !reflect.DeepEqual(state, update.state) {
		m.keep(ctx, source, update.state)
	}
	if m.take(one, update.state, given, err) {
		m.cfg.Changed()
	}
	m.say(ctx, source, before, given, err)
	return err
}

// outcome asks the mirror and returns what is in force afterwards: when the
// refresh fails, that is before.
func (u *mirrorUpdate) outcome(ctx context.Context, before mirrored) (mirrored, error) {
	state, turn := u.state, &u.mirror.turn
	err := turn.take(ctx)
	defer turn.give()
	if err != nil {
		return before, err
	}
	given := before
	if err = u.run(ctx); err == nil {
		given, err = u.state.good(u.source.Anchor)
	}
	if err == nil {
		return given, nil
	}
	// Newer roots and the newest timestamp stay known; the last whole set does.
	u.state.Good, u.state.GoodRoots = state.Good, state.GoodRoots
	u.state.CheckedAt, u.state.RevokedAt = state.CheckedAt, state.RevokedAt
	u.state.revoke(u.source.Anchor, u.now)
	before.expires = u.state.ends(before.expires)
	return before, err
}

// keep writes what must survive the process. Without it the process goes on.
func (m *Mirrors) keep(ctx context.Context, source MirrorSource, state mirrorState) {
	if m.cfg.Folder == nil || m.cfg.ReadOnly {
		return
	}
	m.mu.Lock()
	folder, err := m.cfg.Folder() // it may be another's since it was opened
	m.mu.Unlock()
	if err == nil {
		err = writeMirrorState(filepath.Join(folder, source.id()), state)
	}
	if err != nil {
		m.cfg.Log.ErrorContext(ctx, "the trusted root of a TUF mirror is not kept: a start without the mirror would be without it", "mirror", source.Mirror, "error", err)
	}
}

// take sets what is known of a mirror, and reports whether look answers otherwise
// than before.
func (m *Mirrors) take(one *mirror, state mirrorState, given mirrored, failure error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	other := one.given.text != given.text
	one.state, one.given, one.failure = state, given, failure
	if failure == nil {
		one.failures = 0
	} else {
		one.failures++
	}
	used := m.usable(one)
	changed := used != one.used || used && other
	one.used = used
	return changed
}

// say logs what became of a question.
func (m *Mirrors) say(ctx context.Context, source MirrorSource, before, given mirrored, err error) {
	log := m.cfg.Log.With("mirror", source.Mirror)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
	case err != nil && given.material == nil:
		log.WarnContext(ctx, "no trusted root was obtained from the TUF mirror: what needs it is Unavailable", "error", clean(err.Error()))
	case err != nil && !m.cfg.Now().Before(given.expires.Add(MirrorGrace)):
		log.ErrorContext(ctx, "the trusted root of the TUF mirror ended and is past its grace: what needs it is Unavailable", "ended", given.expires, "error", clean(err.Error()))
	case err != nil && !m.cfg.Now().Before(given.expires):
		log.ErrorContext(ctx, "the trusted root of the TUF mirror ended; the last good one stays in use for its grace",
			"ended", given.expires, "until", given.expires.Add(MirrorGrace), "error", clean(err.Error()))
	case err != nil:
		log.WarnContext(ctx, "the trusted root of the TUF mirror was not refreshed, the last good one stays in use", "expires", given.expires, "error", clean(err.Error()))
	case before.text != given.text:
		log.InfoContext(ctx, "the TUF mirror gave another trusted root", "expires", given.expires)
	default:
		log.DebugContext(ctx, "the TUF mirror confirmed its trusted root", "expires", given.expires)
	}
}
