package inventory

import (
	"container/list"
	"crypto/sha256"
	"slices"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// document is an index or image manifest that was recorded, and what it lists. Its
// digest is one string for all its facts.
type document struct {
	digest     oci.Digest
	key        key
	repository oci.Repository
	// lists are the listings that it is in: its facts.
	lists []*listing
	// whole is true while it is in every listing that it belongs to, so that a
	// document that is pulled again costs one look-up.
	whole bool

	// part is where it counts; holder and the two elements are its places there.
	part             *part
	holder           *holder
	inPart, inHolder *list.Element
}

// key stands for a name: a hash, so that long names cost no more than short
// ones.
type key [sha256.Size]byte

// listing is the documents that list one digest, the latest recorded first.
type listing struct {
	key       key
	documents []*document
}

// add puts d first among those that list a digest.
func (l *Lineage) add(d *document, relation policy.Relation, digest oci.Digest) {
	if digest.IsZero() {
		return
	}
	if len(d.lists) >= d.part.room() {
		d.whole = false
		return
	}
	listed := keyOf(d.repository, relation, digest)
	known := l.listings[listed]
	if known == nil {
		known = &listing{key: listed}
		l.listings[listed] = known
	}
	if slices.Contains(known.documents, d) {
		return
	}
	known.documents = slices.Insert(known.documents, 0, d)
	d.lists = append(d.lists, known)
	d.part.count(d, 1)
	if len(known.documents) > MaxListing {
		if lost := l.unlist(known); lost != d && len(lost.lists) == 0 {
			l.drop(lost)
		}
	}
}

// unlist takes the last document out of a listing and returns it; one that was vouched for only
// when all are, so that whoever can push indexes cannot hide the signed one.
func (l *Lineage) unlist(known *listing) *document {
	last := len(known.documents) - 1
	for at := last; at >= 0; at-- {
		if known.documents[at].part == l.strangers {
			last = at
			break
		}
	}
	d := known.documents[last]
	known.documents = slices.Delete(known.documents, last, last+1)
	if at := slices.Index(d.lists, known); at >= 0 {
		d.lists = slices.Delete(d.lists, at, at+1)
		d.part.count(d, -1)
	}
	d.whole = false
	return d
}

// drop forgets d.
func (l *Lineage) drop(d *document) {
	d.part.remove(d)
	delete(l.documents, d.key)
	for _, known := range d.lists {
		if at := slices.Index(known.documents, d); at >= 0 {
			known.documents = slices.Delete(known.documents, at, at+1)
		}
		if len(known.documents) == 0 {
			delete(l.listings, known.key)
		}
	}
	d.lists = nil
}

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
