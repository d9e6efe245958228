package content

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"vouchsafe/oci"
)

// DefaultTags is how many tags are remembered when nothing else is said: about
// 50 MB when all of them are used. Only tags that an upstream has answered enter,
// the least recently used leave first.
const DefaultTags = 100_000

// label names a tag of a repository.
type label struct {
	repository oci.Repository
	tag        string
}

// resolution is what a tag was last seen to name.
type resolution struct {
	// digest is the sha256 of bytes that were fetched here.
	digest oci.Digest
	// at is when the upstream was asked, so that an answer that took long is
	// not taken for younger than it is.
	at time.Time
	// failed is when the upstream last failed to confirm it.
	failed time.Time
}

// tagStore remembers resolutions.
type tagStore struct {
	mu  sync.Mutex // guards lru
	lru *simplelru.LRU[label, resolution]
}

func newTagStore(limit int) *tagStore {
	lru, _ := simplelru.NewLRU[label, resolution](limit, nil) // fails only for a limit below one
	return &tagStore{lru: lru}
}

func (s *tagStore) get(l label) (resolution, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lru.Get(l)
}

func (s *tagStore) put(l label, r resolution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Add(l, r)
}

// fail notes that r could not be confirmed, unless it has been replaced since.
func (s *tagStore) fail(l label, r resolution, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.lru.Peek(l); ok && last.digest == r.digest && last.at.Equal(r.at) {
		last.failed = now
		s.lru.Add(l, last)
	}
}

func (s *tagStore) forget(l label) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Remove(l)
}
