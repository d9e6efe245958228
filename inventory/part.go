package inventory

import (
	"container/heap"
	"container/list"

	"vouchsafe/oci"
)

// part is one bounded part of a Lineage. What is dropped from it first depends on
// which.
type part struct {
	limit, facts int
	// fair is true for a part that drops from the repository with the most facts,
	// so that no number of documents of one drives out another. Else the document
	// goes that was used least recently, but that of a repository with more than
	// half of the part before all others.
	fair bool
	// used has all documents, the latest used first.
	used    *list.List
	holders map[oci.Repository]*holder
	most    byFacts
}

// holder is what one repository has in a part.
type holder struct {
	repository oci.Repository
	facts      int
	// used has its documents, the latest used first; index is its place in most.
	used  *list.List
	index int
}

func newPart(limit int, fair bool) *part {
	return &part{limit: limit, fair: fair, used: list.New(), holders: map[oci.Repository]*holder{}}
}

// push puts d, with the facts that it has, first.
func (p *part) push(d *document) {
	h := p.holders[d.repository]
	if h == nil {
		h = &holder{repository: d.repository, used: list.New()}
		p.holders[d.repository] = h
		heap.Push(&p.most, h)
	}
	d.part, d.holder = p, h
	d.inPart, d.inHolder = p.used.PushFront(d), h.used.PushFront(d)
	p.count(d, len(d.lists))
}

// remove takes d out, with its facts.
func (p *part) remove(d *document) {
	p.count(d, -len(d.lists))
	p.used.Remove(d.inPart)
	d.holder.used.Remove(d.inHolder)
	if d.holder.used.Len() == 0 {
		heap.Remove(&p.most, d.holder.index)
		delete(p.holders, d.repository)
	}
	d.part, d.holder, d.inPart, d.inHolder = nil, nil, nil, nil
}

// touch makes d the one that was used last.
func (p *part) touch(d *document) {
	p.used.MoveToFront(d.inPart)
	d.holder.used.MoveToFront(d.inHolder)
}

// count changes the number of d's facts.
func (p *part) count(d *document, by int) {
	p.facts += by
	d.holder.facts += by
	heap.Fix(&p.most, d.holder.index)
}

// room is how many facts one document may have: with more, a part of few
// repositories would drop the document for its own sake.
func (p *part) room() int { return max(1, p.limit/2) }

// victim is what is dropped next; nil when there is room.
func (p *part) victim() *document {
	if p.facts <= p.limit || len(p.most) == 0 {
		return nil
	}
	from := p.used
	if largest := p.most[0]; p.fair || largest.facts > p.limit/2 {
		from = largest.used
	}
	d, _ := from.Back().Value.(*document)
	return d
}

// byFacts is a heap of holders, the one with the most facts first.
type byFacts []*holder

func (b byFacts) Len() int           { return len(b) }
func (b byFacts) Less(i, j int) bool { return b[i].facts > b[j].facts }

func (b byFacts) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].index, b[j].index = i, j
}

// Push implements [heap.Interface].
func (b *byFacts) Push(x any) {
	if h, ok := x.(*holder); ok {
		h.index = len(*b)
		*b = append(*b, h)
	}
}

// Pop implements [heap.Interface].
func (b *byFacts) Pop() any {
	all := *b
	last := all[len(all)-1]
	all[len(all)-1] = nil
	*b = all[:len(all)-1]
	return last
}
