package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"maps"
	"slices"
)

// revisionBytes is how much of the hash is kept: enough that two configurations
// of one operator never agree by chance, short enough to read aloud.
const revisionBytes = 16

// revisionOf returns the hash of everything that a decision depends on. It is
// equal in every process with the same content.
func revisionOf(s *Snapshot, settings Settings) string {
	h := sha256.New()
	put(h, "settings", settings.WhenNoPolicy, settings.DefaultRegistry, settings.KnownRegistries)
	for _, d := range s.Documents {
		put(h, d.Kind, d.Name, d.Spec)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Registries)) {
		put(h, KindRegistry, name, s.Registries[name].Revision())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Integrations)) {
		put(h, KindIntegration, name, s.Integrations[name].Revision())
	}
	return hex.EncodeToString(h.Sum(nil)[:revisionBytes])
}

// put adds values as one line of JSON, whose quoting keeps two values from being
// read as one.
func put(h hash.Hash, values ...any) {
	line, err := json.Marshal(values)
	if err != nil {
		// Specs hold text, numbers and lists alone; a hash over less than all of
		// it would let a change go unseen.
		panic("config: spec is no JSON: " + err.Error())
	}
	h.Write(append(line, '\n'))
}
