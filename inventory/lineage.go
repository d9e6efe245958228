package inventory

import (
	"context"
	"strings"
	"sync"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Limits of a Lineage.
const (
	// DefaultFacts is how many facts are kept when nothing else is said: about
	// 50 MB when all of them are used.
	DefaultFacts = 200_000
	// MaxListing is how many documents are kept that list one digest.
	MaxListing = 64
	// strangersPart is the part of the facts that documents may have which were
	// never vouched for.
	strangersPart = 4
)

// Lineage is a [policy.Lineage] in memory, bounded by a number of facts. A fact
// is that one document of a repository lists one digest. It is safe for
// concurrent use.
//
// It has two parts. Documents that were vouched for, because they were served and
// some integration verified them, have three quarters; all others have one, and
// drive out nothing but each other: first those of the repository that has the
// most facts there. Of the first part no repository has more than half while others
// need it.
type Lineage struct {
	// mu guards what follows. Each hold is short: no more than the entries of
	// one document, see package oci's limits, and those that it drives out.
	mu        sync.Mutex
	documents map[key]*document
	listings  map[key]*listing
	// vouched and strangers are the two parts.
	vouched, strangers *part
}

var _ policy.Lineage = (*Lineage)(nil)

// NewLineage returns an empty memory of at most facts; zero means
// [DefaultFacts]. Of one digest at most [MaxListing] listing documents are kept.
func NewLineage(facts int) *Lineage {
	if facts <= 0 {
		facts = DefaultFacts
	}
	strangers := max(1, facts/strangersPart)
	return &Lineage{
		documents: map[key]*document{}, listings: map[key]*listing{},
		vouched: newPart(facts-strangers, false), strangers: newPart(strangers, true),
	}
}

// Record implements [policy.Lineage]. A document of which everything is still
// remembered keeps its place among those that list the same digest. It never
// fails.
func (l *Lineage) Record(_ context.Context, image oci.Image) error {
	l.record(&image, false)
	return nil
}

// vouch remembers what image lists among what was vouched for.
func (l *Lineage) vouch(image *oci.Image) { l.record(image, true) }

// vouchFor is vouch for an image without its bytes: what is known of it.
func (l *Lineage) vouchFor(repository oci.Repository, digest oci.Digest) {
	self := keyOf(repository, 0, digest)
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.documents[self]; d != nil {
		l.move(d, l.vouched)
	}
}

func (l *Lineage) record(image *oci.Image, vouched bool) {
	repository, digest := image.Reference.Repository, image.Reference.Digest
	self := keyOf(repository, 0, digest)
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.strangers
	d := l.documents[self]
	if vouched || d != nil && d.part == l.vouched {
		p = l.vouched
	}
	if d != nil && d.whole {
		l.move(d, p)
		return
	}
	if d != nil {
		l.drop(d)
	}
	d = l.document(p, self, repository, digest)
	d.whole = true
	for _, child := range image.Manifest.Manifests {
		l.add(d, policy.ChildOf, child.Digest)
	}
	if image.Manifest.Kind == oci.KindImage {
		l.add(d, policy.BlobOf, image.Manifest.Config.Digest)
	}
	for _, layer := range image.Manifest.Layers {
		l.add(d, policy.BlobOf, layer.Digest)
	}
	l.trim(p, d)
}

// keep has what leads from child up to index remembered among what was vouched
// for, since a result rests on that: each fact by itself, so that the way stays as
// long as it is.
func (l *Lineage) keep(repository oci.Repository, child, index oci.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.way(repository, child, index) {
		// Room for one may have been made by forgetting another.
		if l.documents[d.key] == d {
			l.move(d, l.vouched)
		}
	}
}

// mostLooked bounds the documents that are looked at for a way.
const mostLooked = 4 * MaxListing

// way returns the documents by which index is above child, in at most
// [policy.MaxAncestry] levels, nil when none is known.
func (l *Lineage) way(repository oci.Repository, child, index oci.Digest) []*document {
	below := map[*document]*document{}
	level := []*document{nil} // nil stands for child
	for range policy.MaxAncestry {
		var next []*document
		for _, from := range level {
			listed := child
			if from != nil {
				listed = from.digest
			}
			known := l.listings[keyOf(repository, policy.ChildOf, listed)]
			if known == nil {
				continue
			}
			for _, d := range known.documents {
				if _, seen := below[d]; seen || len(below) == mostLooked {
					continue
				}
				below[d] = from
				next = append(next, d)
				if d.digest == index {
					var found []*document
					for ; d != nil; d = below[d] {
						found = append(found, d)
					}
					return found
				}
			}
		}
		level = next
	}
	return nil
}

// document makes an empty document in p.
func (l *Lineage) document(p *part, self key, repository oci.Repository, digest oci.Digest) *document {
	if h := p.holders[repository]; h != nil {
		repository = h.repository
	} else {
		// A name may be part of a larger buffer.
		repository = oci.Repository{Registry: strings.Clone(repository.Registry), Path: strings.Clone(repository.Path)}
	}
	d := &document{digest: digest, key: self, repository: repository}
	l.documents[self] = d
	p.push(d)
	return d
}

// Listing implements [policy.Lineage]. What was vouched for is used by it.
func (l *Lineage) Listing(_ context.Context, repository oci.Repository, relation policy.Relation, digest oci.Digest) ([]oci.Digest, error) {
	if relation != policy.ChildOf && relation != policy.BlobOf {
		return nil, nil
	}
	listed := keyOf(repository, relation, digest)
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.listings[listed]
	if known == nil {
		return nil, nil
	}
	digests := make([]oci.Digest, 0, len(known.documents))
	for _, d := range known.documents {
		d.part.touch(d)
		digests = append(digests, d.digest)
	}
	return digests, nil
}

// Facts returns how many facts are remembered.
func (l *Lineage) Facts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.vouched.facts + l.strangers.facts
}

// move puts d first in p.
func (l *Lineage) move(d *document, p *part) {
	if d.part == p {
		p.touch(d)
		return
	}
	d.part.remove(d)
	p.push(d)
	l.trim(p, d)
}

// trim makes room in p, and drops d when it has no fact.
func (l *Lineage) trim(p *part, d *document) {
	if len(d.lists) == 0 {
		l.drop(d)
	}
	for {
		victim := p.victim()
		if victim == nil {
			return
		}
		l.drop(victim)
	}
}
