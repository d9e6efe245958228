package verify

import (
	"strconv"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// wholeTimestamp reports whether a timestamp, signed or not, names a snapshot, and
// no file with null for its version. The library compares versions without looking
// whether there are any: a signed timestamp without them, once kept, would make
// each later refresh fail. What is no timestamp at all is whole, for the library
// to refuse.
func wholeTimestamp(text []byte) bool {
	whole, err := guard(func() (bool, error) {
		parsed, err := metadata.Timestamp().FromBytes(text)
		return err == nil && describes(parsed.Signed.Meta, "snapshot.json"), err
	})
	return whole || err != nil && len(text) > 0
}

// wholeSnapshot is wholeTimestamp for a snapshot, which names the targets.
func wholeSnapshot(text []byte) bool {
	whole, err := guard(func() (bool, error) {
		parsed, err := metadata.Snapshot().FromBytes(text)
		return err == nil && describes(parsed.Signed.Meta, "targets.json"), err
	})
	return whole || err != nil && len(text) > 0
}

func describes(meta map[string]*metadata.MetaFiles, name string) bool {
	for _, one := range meta {
		if one == nil {
			return false
		}
	}
	return meta[name] != nil
}

// versioned is the name of a file of metadata, which has its version in it where
// the repository keeps consistent snapshots.
func (u *mirrorUpdate) versioned(name string, version int64) string {
	if u.trusted.Root.Signed.ConsistentSnapshot {
		return strconv.FormatInt(version, 10) + "." + name
	}
	return name
}

// ceiling is how much of a file is read: what signed metadata says, where it says
// something, and never more than most.
func ceiling(said, most int64) int64 {
	if said > 0 {
		return min(said, most)
	}
	return most
}
