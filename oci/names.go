package oci

import (
	"bytes"
	"strings"
	"unicode"
)

// linearKeys is up to how many names of one object are compared one by one.
const linearKeys = 16

// nameSet finds names that occur twice in one object, for readers that tell
// letter case apart and for those that do not.
type nameSet struct {
	scanner *scanner
	base    int
	// folded holds all names once there are more than linearKeys.
	folded map[string]struct{}
}

func (n *nameSet) add(name []byte) error {
	keys := n.scanner.keys[n.base:]
	if n.folded == nil && len(keys) < linearKeys {
		for _, key := range keys {
			if bytes.EqualFold(key, name) {
				return duplicate(name)
			}
		}
		n.scanner.keys = append(n.scanner.keys, name)
		return nil
	}
	if n.folded == nil {
		n.folded = make(map[string]struct{}, 2*linearKeys)
		for _, key := range keys {
			n.folded[fold(key)] = struct{}{}
		}
	}
	key := fold(name)
	if _, found := n.folded[key]; found {
		return duplicate(name)
	}
	n.folded[key] = struct{}{}
	return nil
}

func duplicate(name []byte) error {
	return invalid("duplicate_key", "the field %.80q is there twice", name)
}

// fold maps all names that [bytes.EqualFold] holds equal to one.
func fold(name []byte) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, string(name))
}
