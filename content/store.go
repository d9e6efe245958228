package content

import (
	"math"
	"slices"
	"sync"
	"unsafe"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"vouchsafe/oci"
)

// place names bytes: the same digest in another repository is another entry,
// since a right to read one says nothing about the other.
type place struct {
	repository oci.Repository
	digest     oci.Digest
}

// manifest is one body that was hashed and parsed here. It is shared and never
// changed.
type manifest struct {
	bytes  []byte
	parsed oci.Manifest
	cost   int64
}

// store keeps manifests by place, the least recently used leave first. Trusted:
// only bytes whose hash was computed here enter it.
type store struct {
	max int64

	mu   sync.Mutex // guards all below
	lru  *simplelru.LRU[place, *manifest]
	held int64
}

func newStore(limit int64) *store {
	s := &store{max: limit}
	// The number of entries is bounded by bytes, so the only error, a size that
	// is not positive, cannot occur.
	s.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ place, m *manifest) { s.held -= m.cost })
	return s
}

func (s *store) get(at place) (*manifest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lru.Get(at)
}

// put keeps m; one that is larger than the whole store is not kept.
func (s *store) put(at place, m *manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.cost > s.max || s.lru.Contains(at) {
		return // the same place always holds the same bytes
	}
	s.lru.Add(at, m)
	s.held += m.cost
	for s.held > s.max {
		s.lru.RemoveOldest()
	}
}

// halve lets the least recently used go until half of the bytes are left.
func (s *store) halve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for most := s.held / 2; s.held > most; {
		s.lru.RemoveOldest()
	}
}

func (s *store) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// parse makes a manifest of what an upstream sent.
func parse(raw oci.RawManifest) (*manifest, error) {
	parsed, err := oci.ParseManifest(raw.Bytes, raw.ContentType)
	if err != nil {
		return nil, err
	}
	body := raw.Bytes
	if cap(body) > len(body)+len(body)/8 {
		body = slices.Clone(body) // a buffer that grew by doubling is not kept for days
	}
	return &manifest{bytes: body, parsed: parsed, cost: cost(body, parsed)}, nil
}

const (
	entryOverhead      = 1 << 10 // map, list, names, structures of one entry
	annotationOverhead = 80      // one entry of a map of strings, beside its text
)

// cost estimates, from above, what a manifest holds in memory: its bytes, the
// same again for the strings in its parsed form, and the structures around them.
func cost(body []byte, m oci.Manifest) int64 {
	total := int64(entryOverhead + 2*len(body) + annotationOverhead*len(m.Annotations))
	total += descriptorCost(m.Config)
	if m.Subject != nil {
		total += descriptorCost(*m.Subject)
	}
	for _, list := range [][]oci.Descriptor{m.Layers, m.Manifests} {
		for _, d := range list {
			total += descriptorCost(d)
		}
	}
	return total
}

func descriptorCost(d oci.Descriptor) int64 {
	total := int64(unsafe.Sizeof(d)) + int64(annotationOverhead*len(d.Annotations))
	if d.Platform != nil {
		total += int64(unsafe.Sizeof(*d.Platform))
	}
	return total
}
