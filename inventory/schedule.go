package inventory

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// plan is when one image is judged again.
type plan struct {
	// place is where in each period it has its turn, from 0 to below 1: a hash, so
	// that turns are spread, and equal in all processes.
	place float64
	// checked is when the last check began, or when the image was first seen.
	checked time.Time
	// retry is set after a check that told nothing about some integration, which
	// failures counts.
	retry    time.Time
	failures int
	// urgent is set when something changed; evidence collected since counts then,
	// or, when that is zero, whatever has not ended.
	urgent, since time.Time
	// rank orders those that are due at the same instant, the smallest first.
	rank uint8
	// due is what follows from all of it; index is its place in a queue, -1
	// without one.
	due     time.Time
	index   int
	running bool
}

func newPlan(image oci.Reference, now time.Time) plan {
	sum := sha256.Sum256([]byte(oci.Reference{Repository: image.Repository, Digest: image.Digest}.String()))
	return plan{place: float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53), checked: now, index: -1}
}

// schedule holds who is due, by registry, so that none keeps the others waiting.
// It belongs to Memory.mu.
type schedule struct {
	// period is zero when nothing is judged again.
	period, ttl time.Duration
	queues      map[string]*queue
}

// queue is the images of one registry that are not being checked, the next first.
type queue struct {
	waiting []*entry
	running map[*entry]struct{}
}

func newSchedule() schedule { return schedule{queues: map[string]*queue{}} }

func (q *queue) Len() int { return len(q.waiting) }

func (q *queue) Less(i, j int) bool {
	a, b := &q.waiting[i].plan, &q.waiting[j].plan
	if a.due.Equal(b.due) {
		return a.rank < b.rank
	}
	return a.due.Before(b.due)
}

func (q *queue) Swap(i, j int) {
	q.waiting[i], q.waiting[j] = q.waiting[j], q.waiting[i]
	q.waiting[i].plan.index, q.waiting[j].plan.index = i, j
}

// Push implements [heap.Interface].
func (q *queue) Push(x any) {
	if e, ok := x.(*entry); ok {
		e.plan.index = len(q.waiting)
		q.waiting = append(q.waiting, e)
	}
}

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(q.waiting) - 1
	e := q.waiting[last]
	q.waiting[last] = nil
	q.waiting = q.waiting[:last]
	e.plan.index = -1
	return e
}

func (s *schedule) queue(e *entry) *queue {
	registry := e.image.Reference.Repository.Registry
	q := s.queues[registry]
	if q == nil {
		q = &queue{running: map[*entry]struct{}{}}
		s.queues[registry] = q
	}
	return q
}

// plan puts e in its place. One that is being checked gets it afterwards.
func (s *schedule) plan(e *entry) {
	p := &e.plan
	if s.period <= 0 || e.gone || e.image.Exempt {
		s.drop(e)
		return
	}
	if p.running {
		return
	}
	p.due = s.due(e)
	q := s.queue(e)
	if p.index >= 0 {
		heap.Fix(q, p.index)
		return
	}
	heap.Push(q, e)
}

// drop takes e out.
func (s *schedule) drop(e *entry) {
	q := s.queues[e.image.Reference.Repository.Registry]
	if q == nil {
		return
	}
	if e.plan.index >= 0 {
		heap.Remove(q, e.plan.index)
	}
	if len(q.waiting)+len(q.running) == 0 {
		delete(s.queues, e.image.Reference.Repository.Registry)
	}
}

// due is the next point of the grid period × (n + place) after the last check, or
// what comes before it: an end of a Verified, a further try, a change.
func (s *schedule) due(e *entry) time.Time {
	p := &e.plan
	due := s.grid(p.place, p.checked)
	sooner := func(at time.Time) {
		if at.Before(due) {
			due = at
		}
	}
	if !p.retry.IsZero() {
		sooner(p.retry)
	}
	if !p.urgent.IsZero() {
		sooner(p.urgent)
	}
	for _, r := range e.records {
		c := r.current()
		if c.Status == verify.Verified && !c.EndsAt.IsZero() {
			if before := c.EndsAt.Add(-s.period / 20); p.checked.Before(before) {
				sooner(before)
			} else if p.checked.Before(c.EndsAt) {
				sooner(c.EndsAt)
			}
		}
		// While it is not known, the end of what stands is a change, too.
		if last := end(c, s.ttl); r.failed != "" && conclusive(c) && p.checked.Before(last) {
			sooner(last)
		}
	}
	return due
}

// grid returns the first point period × (n + place) after an instant.
func (s *schedule) grid(place float64, after time.Time) time.Time {
	period := s.period.Nanoseconds()
	passed := (after.UnixNano() - int64(place*float64(period))) % period
	if passed < 0 {
		passed += period
	}
	return after.Add(time.Duration(period - passed))
}

// hurry makes e due now, if it is not, to be told from evidence collected since.
// One that is due because rules changed stays so: what has not ended counts then,
// that evidence included.
func (s *schedule) hurry(e *entry, now, since time.Time) {
	p := &e.plan
	switch {
	case p.urgent.IsZero():
		p.urgent, p.since = now, since
	case !p.since.IsZero() && since.After(p.since):
		p.since = since
	}
	s.plan(e)
}

// next takes out the image that has waited longest at the registry with the
// fewest checks, of those with fewer than each. Without one, wait is how long
// until there may be, at most an hour.
func (s *schedule) next(now time.Time, each int) (e *entry, wait time.Duration) {
	var best *queue
	wait = time.Hour
	for _, q := range s.queues {
		if len(q.waiting) == 0 || len(q.running) >= each {
			continue
		}
		due := q.waiting[0].plan.due
		if due.After(now) {
			wait = min(wait, due.Sub(now))
			continue
		}
		if best == nil || len(q.running) < len(best.running) ||
			len(q.running) == len(best.running) && due.Before(best.waiting[0].plan.due) {
			best = q
		}
	}
	if best == nil {
		return nil, wait
	}
	e, _ = heap.Pop(best).(*entry)
	e.plan.running = true
	best.running[e] = struct{}{}
	return e, 0
}

// late returns how many are due, those being checked included, and for how long
// the first has been.
func (s *schedule) late(now time.Time) (n int, lag time.Duration) {
	count := func(e *entry) {
		n++
		lag = max(lag, now.Sub(e.plan.due))
	}
	for _, q := range s.queues {
		for e := range q.running {
			count(e)
		}
		// Below one that is not due there is none that is.
		for todo := []int{0}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if at < len(q.waiting) && !q.waiting[at].plan.due.After(now) {
				count(q.waiting[at])
				todo = append(todo, 2*at+1, 2*at+2)
			}
		}
	}
	return n, lag
}
