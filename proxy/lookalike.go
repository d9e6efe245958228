package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// mayBeManifest reports whether some reader could take b for a manifest, also one
// that reads JSON behind a byte order mark or in a wider encoding. The strict
// reading refuses those.
func mayBeManifest(b []byte) bool {
	if looksLikeManifest(b) {
		return true
	}
	first := bytes.TrimLeft(b, " \t\r\n")
	if len(first) == 0 || first[0] == '{' && bytes.IndexByte(b, 0) < 0 {
		return false
	}
	var scan keyScan
	return scan.see(b)
}

// looksLikeManifest reports whether a lenient reader could take b for a manifest
// or index: what only the strict one refuses must not pass for something else. A
// field twice counts, since readers differ in what they make of it.
func looksLikeManifest(b []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(b))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	var seen [len(manifestFields)]bool
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return false
		}
		field, _ := name.(string)
		for i, wanted := range manifestFields {
			// As encoding/json compares names: also "layer\u017f" is "layers".
			if !strings.EqualFold(field, wanted) {
				continue
			}
			if seen[i] || pointsAtContent(value) {
				return true
			}
			seen[i] = true
		}
	}
	return false
}

// descriptor is as much of a descriptor as matters here. It is small, since a
// blob may list millions.
type descriptor struct{ Digest present }

// present is true for a field that is there, whatever its value.
type present bool

// UnmarshalJSON implements [json.Unmarshaler].
func (p *present) UnmarshalJSON([]byte) error { *p = true; return nil }

// pointsAtContent reports whether value is a descriptor or a list with one. An
// empty list counts: it is what an index of nothing has. Entries of a list that
// are something else do not hide those that are one.
func pointsAtContent(value json.RawMessage) bool {
	if value[0] == '{' {
		var one descriptor
		return json.Unmarshal(value, &one) == nil && bool(one.Digest)
	}
	var list []descriptor
	if err := json.Unmarshal(value, &list); err != nil {
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); !other {
			return false
		}
	}
	return list != nil && (len(list) == 0 || slices.Contains(list, descriptor{true}))
}
