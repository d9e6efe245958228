package verify

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// Bounds on what a mirror may give.
const (
	maxMirrorRoot      = 512 << 10
	maxMirrorTimestamp = 64 << 10
	maxMirrorSnapshot  = 1 << 20
	maxMirrorTargets   = 1 << 20
	// maxRotations bounds the root.json files of one refresh; a repository that
	// has more is followed over several.
	maxRotations = 32
	// maxRoots bounds them since the anchor.
	maxRoots = 256
)

var (
	errRotations = fmt.Errorf("more than %d new versions of root.json at once: the rest is for the next refresh", maxRotations)
	errOldAnchor = fmt.Errorf("more than %d versions of root.json since rootFile: take a newer one", maxRoots)
)

// mirrorUpdate is one refresh: the client workflow of The Update Framework,
// version 1.0, section 5, on the library's checks of signatures, versions and
// expiry. The library's own client is not used: it begins with the operator's
// root.json at each start, and so would take a root back that was rotated away,
// it leaves half of a set behind when the mirror goes away in the middle, and it
// cannot be told to stop.
type mirrorUpdate struct {
	source MirrorSource
	mirror *mirrorFetcher
	now    time.Time
	// state grows with what verifies, also of a refresh that fails.
	state   mirrorState
	trusted *trustedmetadata.TrustedMetadata
}

// run asks the mirror. When it fails, state holds what must not be forgotten, and
// the last whole set as it was.
func (u *mirrorUpdate) run(ctx context.Context) error {
	_, err := guard(func() (struct{}, error) { return struct{}{}, u.refresh(ctx) })
	if errors.Is(err, errPanic) {
		return fmt.Errorf("%s: %w", cmp.Or(u.mirror.asked, "root file"), err)
	}
	return err
}

func (u *mirrorUpdate) refresh(ctx context.Context) error {
	var err error
	if u.trusted, err = chain(u.source.Anchor, u.state.Roots); err != nil {
		return err
	}
	u.trusted.RefTime = u.now
	for _, step := range []func(context.Context) error{u.roots, u.timestamp, u.snapshot, u.targets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	target, err := u.target(ctx)
	if err != nil {
		return err
	}
	good := u.state.Seen
	good.Target = target
	u.state.Good, u.state.Seen.Target = good, nil
	u.state.GoodRoots, u.state.CheckedAt, u.state.RevokedAt = len(u.state.Roots), u.now, time.Time{}
	return nil
}

// roots follows the rotations of root.json (section 5.3).
func (u *mirrorUpdate) roots(ctx context.Context) error {
	for range maxRotations {
		name := strconv.FormatInt(u.trusted.Root.Signed.Version+1, 10) + ".root.json"
		text, err := u.mirror.metadata(ctx, name, maxMirrorRoot)
		if noSuchFile(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(u.state.Roots) == maxRoots {
			return errOldAnchor
		}
		if _, err := u.trusted.UpdateRoot(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		u.state.Roots = append(slices.Clip(u.state.Roots), text)
	}
	return errRotations
}

// timestamp asks for timestamp.json, and takes none that is older than the one
// seen before (section 5.4).
func (u *mirrorUpdate) timestamp(ctx context.Context) error {
	const name = "timestamp.json"
	if wholeTimestamp(u.state.Seen.Timestamp) {
		// One that ended still says what must not be undercut; one whose key was
		// rotated away does not load, and binds nobody any more (section 5.3.11).
		_, _ = u.trusted.UpdateTimestamp(u.state.Seen.Timestamp)
	}
	text, err := u.mirror.metadata(ctx, name, maxMirrorTimestamp)
	if err != nil {
		return err
	}
	if !wholeTimestamp(text) {
		return errors.New(name + ": names no snapshot.json")
	}
	_, err = u.trusted.UpdateTimestamp(text)
	switch {
	case err == nil:
		u.state.Seen.Timestamp = text
		return nil
	case errors.Is(err, &metadata.ErrEqualVersionNumber{}) && !u.trusted.Timestamp.Signed.IsExpired(u.now):
		return nil
	case errors.Is(err, &metadata.ErrEqualVersionNumber{}):
		// A mirror that is frozen, or out of use.
		err = fmt.Errorf("the one before, which ended at %s", u.trusted.Timestamp.Signed.Expires.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// snapshot keeps snapshot.json or asks for the one that the timestamp names
// (section 5.5).
func (u *mirrorUpdate) snapshot(ctx context.Context) error {
	if wholeSnapshot(u.state.Seen.Snapshot) {
		if _, err := u.trusted.UpdateSnapshot(u.state.Seen.Snapshot, true); err == nil {
			return nil
		}
	}
	meta := u.trusted.Timestamp.Signed.Meta["snapshot.json"]
	name := u.versioned("snapshot.json", meta.Version)
	text, err := u.mirror.metadata(ctx, name, ceiling(meta.Length, maxMirrorSnapshot))
	if err != nil {
		return err
	}
	if !wholeSnapshot(text) {
		return fmt.Errorf("%s: names no targets.json", name)
	}
	if _, err := u.trusted.UpdateSnapshot(text, false); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	u.state.Seen.Snapshot = text
	return nil
}

// targets keeps targets.json or asks for the one that the snapshot names (section
// 5.6).
func (u *mirrorUpdate) targets(ctx context.Context) error {
	if u.state.Seen.Targets != nil {
		if _, err := u.trusted.UpdateTargets(u.state.Seen.Targets); err == nil {
			return nil
		}
	}
	meta := u.trusted.Snapshot.Signed.Meta["targets.json"]
	name := u.versioned("targets.json", meta.Version)
	text, err := u.mirror.metadata(ctx, name, ceiling(meta.Length, maxMirrorTargets))
	if err != nil {
		return err
	}
	if _, err := u.trusted.UpdateTargets(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	u.state.Seen.Targets = text
	return nil
}

// target keeps the trusted root or asks for it (section 5.7). What is signed and
// no trusted root is refused: the last good one is worth more.
func (u *mirrorUpdate) target(ctx context.Context) ([]byte, error) {
	target, err := targetOf(u.trusted)
	if err != nil {
		return nil, err
	}
	if kept := u.state.Good.Target; kept != nil && target.VerifyLengthHashes(kept) == nil {
		return kept, nil
	}
	name := mirrorTarget
	if u.trusted.Root.Signed.ConsistentSnapshot {
		algorithms := slices.Sorted(maps.Keys(target.Hashes)) // sha256 before sha512
		name = hex.EncodeToString(target.Hashes[algorithms[0]]) + "." + name
	}
	name = "targets/" + name
	text, err := u.mirror.get(ctx, name, ceiling(target.Length, maxTrustedRoot))
	if err != nil {
		return nil, err
	}
	if err := target.VerifyLengthHashes(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if _, problem := parseTrustedRoot(text); problem != nil {
		return nil, fmt.Errorf("%s: %w", name, problem)
	}
	return text, nil
}
