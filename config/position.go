package config

import (
	"strconv"
	"strings"
)

// step is one part of a field path: a key, or an index when key is empty.
type step struct {
	key   string
	index int
}

// parsePath reads "spec.publicKeys[0].key". Text that is no path gives the
// steps before it.
func parsePath(path string) []step {
	var steps []step
	for part := range strings.SplitSeq(path, ".") {
		key, indexes, _ := strings.Cut(part, "[")
		if key != "" {
			steps = append(steps, step{key: key})
		}
		if indexes == "" {
			continue
		}
		for digits := range strings.SplitSeq(indexes, "[") {
			index, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
			if err != nil {
				return steps
			}
			steps = append(steps, step{index: index})
		}
	}
	return steps
}

// find returns the node at path or, where there is none, its nearest ancestor
// that exists, and whether the path itself exists.
func (n *node) find(path string) (at *node, exact bool) {
	at = n
	for _, s := range parsePath(path) {
		next := at.next(s)
		if next == nil {
			return at, false
		}
		at = next
	}
	return at, true
}

func (n *node) next(s step) *node {
	if s.key != "" {
		return n.child(s.key)
	}
	if s.index < 0 || s.index >= len(n.items) {
		return nil
	}
	return n.items[s.index]
}

// within reports whether path is outer, or a part of it.
func within(path, outer string) bool {
	rest, found := strings.CutPrefix(path, outer)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parentPath returns the path without its last step.
func parentPath(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
