package inventory

import (
	"slices"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// job is one image that is being checked.
type job struct {
	entry     *entry
	image     oci.Reference
	mediaType string
	began     time.Time
	// maxAge is how old evidence may be; zero means whatever has not ended.
	maxAge time.Duration
	// above are the indexes through which it was Verified.
	above []oci.Digest
	// tags are those of an image that was not read yet.
	tags []string
}

// change is that a status became another.
type change struct {
	integration string
	from, to    verify.Status
	reason      verify.Reason
}

// take returns the next job; without one, how long to wait.
func (m *Memory) take(each int) (j job, wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	e, wait := m.schedule.next(now, each)
	if e == nil {
		return job{}, wait, false
	}
	p := &e.plan
	j = job{entry: e, image: e.image.Reference, mediaType: e.image.MediaType, began: now, above: e.above()}
	if j.mediaType == "" {
		j.tags = slices.Clone(e.image.Tags)
	}
	// What was found out since the image was due need not be asked for again; a
	// change is told from the evidence that showed it.
	urgent, since := p.urgent, p.since
	p.urgent, p.since, p.rank = time.Time{}, time.Time{}, 0
	if planned := m.schedule.due(e); !planned.After(now) {
		since = planned
		urgent = time.Time{}
	}
	if urgent.IsZero() || !since.IsZero() {
		j.maxAge = max(now.Sub(since), 1)
	}
	return j, 0, true
}

// above returns the indexes through which e was Verified, each once.
func (e *entry) above() []oci.Digest {
	var all []oci.Digest
	for _, r := range e.records {
		if !r.from.IsZero() && !slices.Contains(all, r.from) {
			all = append(all, r.from)
		}
	}
	return all
}

// learned is what a check brought.
type learned struct {
	changes []change
	// results are those that count, and other is true when they are not those of
	// the check: one that told nothing does not replace what stands.
	results []verify.Result
	other   bool
	// open is true when some integration could not be asked.
	open bool
}

// learn takes in the results of all integrations. What was not asked for any more
// is forgotten.
func (m *Memory) learn(j job, all []verify.Result) learned {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := j.entry
	var l learned
	if e.gone {
		return l
	}
	e.records = slices.DeleteFunc(e.records, func(r *record) bool {
		return !slices.ContainsFunc(all, func(one verify.Result) bool { return one.Integration == r.integration })
	})
	for i := range all {
		r := m.note(e, &all[i], true)
		c := r.current()
		l.open = l.open || !conclusive(&all[i])
		l.other = l.other || c.Status != all[i].Status
		l.results = append(l.results, *c)
		if r.told != c.Status {
			l.changes = append(l.changes, change{integration: r.integration, from: r.told, to: c.Status, reason: c.Reason})
			r.told = c.Status
		}
	}
	return l
}

// untell takes back that changes were told, since their record was not written.
func (m *Memory) untell(j job, changes []change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		if r := j.entry.find(c.integration); r != nil && r.told == c.to {
			r.told = c.from
		}
	}
}

// judged takes in what policies make of an image.
func (m *Memory) judged(j job, d *policy.Decision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !j.entry.gone {
		m.weigh(j.entry, d, m.cfg.Now())
	}
}

// Tries after a check that told nothing: a minute, or less with a short period,
// doubled up to a quarter of the period.
const (
	firstRetry     = time.Minute
	firstRetryPart = 20
	lastRetryPart  = 4
)

// finish plans the next check of what was checked; open means that this one is to
// be repeated sooner.
func (m *Memory) finish(j job, open bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := j.entry
	p := &e.plan
	p.running = false
	if q := m.schedule.queues[e.image.Reference.Repository.Registry]; q != nil {
		delete(q.running, e)
	}
	p.checked, p.retry = j.began, time.Time{}
	if open {
		p.retry = m.cfg.Now().Add(m.schedule.pause(p.failures))
		p.failures++
	} else {
		p.failures = 0
	}
	told := !slices.ContainsFunc(e.records, func(r *record) bool { return r.told != r.current().Status })
	if told && !p.since.IsZero() {
		// It was this check that made it due.
		p.urgent, p.since = time.Time{}, time.Time{}
	}
	m.schedule.plan(e)
}

// pause is how long to wait after a number of failures in a row before one more.
func (s *schedule) pause(failures int) time.Duration {
	pause, most := min(firstRetry, s.period/firstRetryPart), s.period/lastRetryPart
	for range failures {
		if pause >= most {
			break
		}
		pause *= 2
	}
	return min(pause, most)
}
