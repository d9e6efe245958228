package verify

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// mirrorTarget is the name under which a Sigstore publishes its trusted root.
const mirrorTarget = "trusted_root.json"

// mirrorState is what one mirror gave, as it is kept between starts.
//
// Trust: none. Each start verifies all of it again, from the operator's
// root.json on, so whoever can write it can at most take it away, or put back an
// older state that was once signed, whose keys may be revoked since.
type mirrorState struct {
	// Roots are the versions of root.json after the anchor, in their order.
	Roots [][]byte `json:"roots,omitempty"`
	// Seen are the newest timestamp and snapshot that verified, whether or not the
	// rest of them came: nothing older is taken.
	Seen mirrorSet `json:"seen"`
	// Good is the last whole set, which verifies by the first GoodRoots of Roots.
	Good      mirrorSet `json:"good"`
	GoodRoots int       `json:"goodRoots,omitempty"`
	// CheckedAt is when the mirror last confirmed Good.
	CheckedAt time.Time `json:"checkedAt,omitzero"`
	// RevokedAt is when it was learnt that Good does not verify by the newest of
	// Roots; zero when it does.
	RevokedAt time.Time `json:"revokedAt,omitzero"`
}

// mirrorSet are files of one moment of a repository.
type mirrorSet struct {
	Timestamp []byte `json:"timestamp,omitempty"`
	Snapshot  []byte `json:"snapshot,omitempty"`
	Targets   []byte `json:"targets,omitempty"`
	// Target is the trusted root.
	Target []byte `json:"target,omitempty"`
}

// mirrored is a trusted root that a mirror gave, verified.
type mirrored struct {
	material *root.TrustedRoot
	text     string
	// expires is when the first of the metadata that vouches for it ends, or when a
	// key of it was found revoked.
	expires time.Time
}

var (
	errNoMirrorTarget = errors.New("the repository's targets do not list " + mirrorTarget)
	errNeverMirrored  = errors.New("nothing was obtained yet")
)

// chain follows the roots from the anchor on. Expiry is not looked at.
func chain(anchor string, roots [][]byte) (*trustedmetadata.TrustedMetadata, error) {
	trusted, err := trustedmetadata.New([]byte(anchor))
	if err != nil {
		return nil, fmt.Errorf("root file: %w", err)
	}
	// The zero time is before every end.
	trusted.RefTime = time.Time{}
	for _, one := range roots {
		if _, err := trusted.UpdateRoot(one); err != nil {
			return nil, fmt.Errorf("root.json after version %d: %w", trusted.Root.Signed.Version, err)
		}
	}
	return trusted, nil
}

// good verifies the last whole set by the anchor, whenever it ends.
func (s *mirrorState) good(anchor string) (mirrored, error) {
	return guard(func() (mirrored, error) {
		if len(s.Good.Target) == 0 {
			return mirrored{}, errNeverMirrored
		}
		trusted, err := chain(anchor, s.Roots[:min(max(0, s.GoodRoots), len(s.Roots))])
		if err != nil {
			return mirrored{}, err
		}
		if err := s.Good.vouched(trusted); err != nil {
			return mirrored{}, err
		}
		target, err := targetOf(trusted)
		if err != nil {
			return mirrored{}, err
		}
		if err := target.VerifyLengthHashes(s.Good.Target); err != nil {
			return mirrored{}, err
		}
		material, problem := parseTrustedRoot(s.Good.Target)
		if problem != nil {
			return mirrored{}, problem
		}
		return mirrored{material: material, text: string(s.Good.Target), expires: s.ends(expiryOf(trusted))}, nil
	})
}

// vouched verifies the metadata of a set by the root that is trusted.
func (s *mirrorSet) vouched(trusted *trustedmetadata.TrustedMetadata) error {
	if _, err := trusted.UpdateTimestamp(s.Timestamp); err != nil {
		return err
	}
	if _, err := trusted.UpdateSnapshot(s.Snapshot, false); err != nil {
		return err
	}
	_, err := trusted.UpdateTargets(s.Targets)
	return err
}

// ends is when Good ends whose metadata ends at said: a key that is revoked
// vouches for nothing from when that was learnt, whatever it once said.
func (s *mirrorState) ends(said time.Time) time.Time {
	if !s.RevokedAt.IsZero() && s.RevokedAt.Before(said) {
		return s.RevokedAt
	}
	return said
}

// revoke notes now as when Good was found not to verify by the newest root. Who
// revoked a key expects its end; without this whoever has it, and can keep the
// mirror's timestamp away, would choose when it comes.
func (s *mirrorState) revoke(anchor string, now time.Time) {
	if len(s.Good.Target) == 0 || len(s.Roots) <= s.GoodRoots || !s.RevokedAt.IsZero() {
		return
	}
	_, err := guard(func() (struct{}, error) {
		trusted, err := chain(anchor, s.Roots)
		if err == nil {
			err = s.Good.vouched(trusted)
		}
		return struct{}{}, err
	})
	if err != nil {
		s.RevokedAt = now
	}
}

// targetOf finds the trusted root among the top-level targets. Delegations are
// not followed: whom a Sigstore lets publish other targets is nobody here.
func targetOf(trusted *trustedmetadata.TrustedMetadata) (*metadata.TargetFiles, error) {
	target := trusted.Targets[metadata.TARGETS].Signed.Targets[mirrorTarget]
	if target == nil || len(target.Hashes) == 0 {
		return nil, errNoMirrorTarget
	}
	return target, nil
}

// expiryOf is the first end of all metadata.
func expiryOf(trusted *trustedmetadata.TrustedMetadata) time.Time {
	return slices.MinFunc([]time.Time{
		trusted.Root.Signed.Expires, trusted.Timestamp.Signed.Expires,
		trusted.Snapshot.Signed.Expires, trusted.Targets[metadata.TARGETS].Signed.Expires,
	}, time.Time.Compare)
}
