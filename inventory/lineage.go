package inventory

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Limits of a Lineage.
const (
	// DefaultFacts is how many facts are kept when nothing else is said: about
	// 100 MB when all of them are used.
	DefaultFacts = 200_000
	// MaxListing is how many documents are kept that list one digest.
	MaxListing = 64
)

// Lineage is a [policy.Lineage] in memory, bounded by a number of facts. A fact
// is that one document of a repository lists one digest. It is safe for
// concurrent use.
type Lineage struct {
	limit int

	// mu guards what follows. Each hold is short: no more than the entries of
	// one document, see package oci's limits.
	mu sync.Mutex
	// count is how many facts are in listings.
	count int
	// listings are the documents that list a digest, by [listed].
	listings *simplelru.LRU[key, []*document]
	// recorded are the documents of which every fact is in listings, so that an
	// image that is pulled again costs one look-up.
	recorded *simplelru.LRU[key, struct{}]
}

// key stands for a name: a hash, so that long names cost no more than short
// ones.
type key [sha256.Size]byte

// document is an index or image manifest that was recorded. Its digest is one
// string for all its facts.
type document struct {
	digest oci.Digest
	key    key
}

var _ policy.Lineage = (*Lineage)(nil)

// NewLineage returns an empty memory of at most facts; zero means
// [DefaultFacts]. Of one digest at most [MaxListing] listing documents are kept.
func NewLineage(facts int) *Lineage {
	if facts <= 0 {
		facts = DefaultFacts
	}
	// Neither list evicts by itself before trim does: listings hold at least
	// one fact each, and at most limit plus one document's are held at a time.
	listings, err := simplelru.NewLRU[key, []*document](facts+oci.MaxLayers+2, nil)
	if err != nil {
		panic(err) // Only for a size below one.
	}
	recorded, err := simplelru.NewLRU[key, struct{}](facts, nil)
	if err != nil {
		panic(err)
	}
	return &Lineage{limit: facts, listings: listings, recorded: recorded}
}

// Record implements [policy.Lineage]. A document of which everything is still
// remembered keeps its place among those that list the same digest. It never
// fails.
func (l *Lineage) Record(_ context.Context, image oci.Image) error {
	repository, digest := image.Reference.Repository, image.Reference.Digest
	self := keyOf(repository, 0, digest)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.recorded.Get(self); known {
		return nil
	}
	doc := &document{digest: digest, key: self}
	for _, d := range image.Manifest.Manifests {
		l.add(keyOf(repository, policy.ChildOf, d.Digest), doc, d.Digest)
	}
	if image.Manifest.Kind == oci.KindImage {
		l.add(keyOf(repository, policy.BlobOf, image.Manifest.Config.Digest), doc, image.Manifest.Config.Digest)
	}
	for _, d := range image.Manifest.Layers {
		l.add(keyOf(repository, policy.BlobOf, d.Digest), doc, d.Digest)
	}
	// Remembered as whole before trimming, which takes that back when it drops
	// one of these facts.
	l.recorded.Add(self, struct{}{})
	l.trim()
	return nil
}

// Listing implements [policy.Lineage].
func (l *Lineage) Listing(_ context.Context, repository oci.Repository, relation policy.Relation, digest oci.Digest) ([]oci.Digest, error) {
	if relation != policy.ChildOf && relation != policy.BlobOf {
		return nil, nil
	}
	listed := keyOf(repository, relation, digest)
	l.mu.Lock()
	defer l.mu.Unlock()
	documents, _ := l.listings.Get(listed)
	if len(documents) == 0 {
		return nil, nil
	}
	digests := make([]oci.Digest, len(documents))
	for i, d := range documents {
		digests[i] = d.digest
	}
	return digests, nil
}

// Facts returns how many facts are remembered.
func (l *Lineage) Facts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// add puts doc first among those that list a digest.
func (l *Lineage) add(listed key, doc *document, digest oci.Digest) {
	if digest.IsZero() {
		return
	}
	documents, _ := l.listings.Get(listed)
	if at := slices.IndexFunc(documents, func(d *document) bool { return d.digest == doc.digest }); at >= 0 {
		documents = slices.Delete(documents, at, at+1)
		l.count--
	}
	documents = slices.Insert(documents, 0, doc)
	l.count++
	if len(documents) > MaxListing {
		l.forget(documents[MaxListing])
		documents = slices.Delete(documents, MaxListing, len(documents))
		l.count--
	}
	l.listings.Add(listed, documents)
}

// trim drops the digests that were used least recently.
func (l *Lineage) trim() {
	for l.count > l.limit {
		_, documents, ok := l.listings.RemoveOldest()
		if !ok {
			return
		}
		l.count -= len(documents)
		for _, d := range documents {
			l.forget(d)
		}
	}
}

// forget lets a document that lost a fact be recorded anew.
func (l *Lineage) forget(d *document) { l.recorded.Remove(d.key) }

// keyOf hashes a name. The parts hold no zero byte, see package oci.
func keyOf(repository oci.Repository, relation policy.Relation, digest oci.Digest) key {
	var room [512]byte
	name := append(room[:0], byte(relation))
	name = append(name, repository.Registry...)
	name = append(name, 0)
	name = append(name, repository.Path...)
	name = append(name, 0)
	name = append(name, digest.String()...)
	return sha256.Sum256(name)
}
