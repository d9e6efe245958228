package inventory

import (
	"container/list"
	"slices"
	"time"
)

// insert remembers e, which is in no list.
func (m *Memory) insert(e *entry, in *list.List) {
	m.images[name{e.image.Reference.Repository, e.image.Reference.Digest}] = e
	e.gone, e.list, e.place = false, in, in.PushFront(e)
	m.trim()
	m.schedule.plan(e)
}

// touch puts e first in its list.
func (m *Memory) touch(e *entry, now time.Time) {
	if e.gone {
		return
	}
	if e.list == m.passers && now.Sub(e.image.FirstSeen) >= settledAfter {
		m.shift(e, m.settled)
		return
	}
	e.list.MoveToFront(e.place)
}

// shift moves e to the front of another list.
func (m *Memory) shift(e *entry, to *list.List) {
	e.list.Remove(e.place)
	e.list, e.place = to, to.PushFront(e)
}

// served notes that e was served, also when it had to leave meanwhile.
func (m *Memory) served(e *entry) {
	e.served = true
	switch {
	case e.gone:
		m.insert(e, m.passers)
	case e.list == m.refused:
		m.shift(e, m.passers)
		m.trim()
	}
}

// trim drops what is too much.
func (m *Memory) trim() {
	most := max(1, m.cfg.Images-max(1, m.cfg.Images/refusedPart)) - m.deployed.Len()
	for m.passers.Len()+m.settled.Len() > most {
		from := m.passers
		if from.Len() <= m.cfg.Images/passersPart && m.settled.Len() > 0 {
			from = m.settled
		}
		m.evict(from)
	}
	for len(m.images) > m.cfg.Images {
		m.evict(m.refused)
	}
}

// evict drops the last image of a list and its open violations.
func (m *Memory) evict(from *list.List) {
	e, ok := from.Remove(from.Back()).(*entry)
	if !ok {
		return
	}
	e.gone, e.list, e.place = true, nil, nil
	delete(m.images, name{e.image.Reference.Repository, e.image.Reference.Digest})
	for _, v := range e.violations {
		m.count(v.Policy, -1)
	}
	e.violations = nil
	m.schedule.drop(e)
	m.evicted++
}

// latest puts one first in all, at most limit long; keep copies what is new.
func latest[T comparable](all []T, one T, limit int, keep func(T) T) []T {
	at := slices.Index(all, one)
	switch {
	case at == 0:
		return all
	case at > 0:
		one = all[at]
		copy(all[1:at+1], all[:at])
	case len(all) < limit:
		one = keep(one)
		all = append(all, one)
		copy(all[1:], all)
	default:
		one = keep(one)
		copy(all[1:], all)
	}
	all[0] = one
	return all
}
