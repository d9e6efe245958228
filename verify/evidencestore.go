package verify

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// evidenceOverhead and itemOverhead stand for what the bookkeeping of
	// evidence and of one item takes besides their bytes.
	evidenceOverhead = 1 << 10
	itemOverhead     = 512
)

// evidenceStore keeps evidence, bounded by bytes, the least recently used gone
// first. It is safe for concurrent use.
type evidenceStore struct {
	most int64
	// mu guards what follows.
	mu    sync.Mutex
	bytes int64
	last  uint64
	lru   *simplelru.LRU[subject, stored]
}

// stored is evidence with a number that no other has; zero is none.
type stored struct {
	Evidence
	number uint64
	tried  *triedSet
}

func newEvidenceStore(most int64) *evidenceStore {
	s := &evidenceStore{most: most}
	// The store is bounded by bytes; each entry has at least the overhead.
	entries := int(most/evidenceOverhead) + 1
	var err error
	s.lru, err = simplelru.NewLRU(entries, func(_ subject, gone stored) { s.bytes -= sizeOf(gone.Evidence) })
	if err != nil {
		// NewLRU only refuses sizes below one.
		panic(err)
	}
	return s
}

func (s *evidenceStore) get(about subject) (stored, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lru.Get(about)
}

// put keeps evidence. One with a place that was not completed does not replace
// a complete one that was collected after oldest.
func (s *evidenceStore) put(about subject, evidence Evidence, oldest time.Time) {
	size := sizeOf(evidence)
	if size > s.most {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, found := s.lru.Peek(about); found {
		if evidence.incomplete() && !old.incomplete() && old.CollectedAt.After(oldest) {
			return
		}
		s.lru.Remove(about)
	}
	for s.bytes+size > s.most {
		if _, _, ok := s.lru.RemoveOldest(); !ok {
			break
		}
	}
	s.bytes += size
	s.last++
	s.lru.Add(about, stored{evidence, s.last, &triedSet{}})
}

// Release lets go of all evidence that is kept for other integrations and for a
// changed key. It is for a process that is short of memory: what has gone is
// collected again, and results stay.
func (v *Verifier) Release() {
	v.evidence.mu.Lock()
	defer v.evidence.mu.Unlock()
	v.evidence.lru.Purge()
}

func sizeOf(e Evidence) int64 {
	n := int64(evidenceOverhead)
	for _, item := range e.Items {
		n += itemOverhead + int64(len(item.Payload)) + annotationBytes(item.Annotations)
	}
	return n
}

// incomplete reports whether a place or an item could not be read for now.
func (e Evidence) incomplete() bool {
	unavailable := func(p Problem) bool { return p.Unavailable }
	return slices.ContainsFunc(e.Problems, unavailable) ||
		slices.ContainsFunc(e.Items, func(i Item) bool { return i.Problem != nil && i.Problem.Unavailable })
}
