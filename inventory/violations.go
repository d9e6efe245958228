package inventory

import (
	"slices"
	"time"

	"vouchsafe/policy"
)

// maxReasons bounds the reasons of one violation.
const maxReasons = 8

// ring keeps the last [MaxResolved] resolved violations.
type ring struct {
	kept []Violation
	// next is the oldest, once the ring is full.
	next int
}

func (r *ring) add(v Violation) {
	if len(r.kept) < MaxResolved {
		r.kept = append(r.kept, v)
		return
	}
	r.kept[r.next] = v
	r.next = (r.next + 1) % MaxResolved
}

// weigh opens and resolves the violations of e by what its policies say now. A
// policy that could not be judged changes nothing; one that does not match any more
// resolves. m.mu is held.
func (m *Memory) weigh(e *entry, d *policy.Decision, now time.Time) {
	e.image.LastVerdict = d.Verdict
	if len(e.violations) > 0 {
		kept := e.violations[:0]
		for _, v := range e.violations {
			at := slices.IndexFunc(d.Policies, func(p policy.Outcome) bool { return p.Name == v.Policy })
			if at < 0 || d.Policies[at].Satisfied {
				v.Resolved = now
				m.resolved.add(v)
				m.count(v.Policy, -1)
				continue
			}
			kept = append(kept, v)
		}
		clear(e.violations[len(kept):])
		e.violations = kept
	}
	for i := range d.Policies {
		if d.Policies[i].Violated {
			m.violated(e, &d.Policies[i], d.Reasons, now)
		}
	}
}

// violated opens a violation, or notes that it is still there.
func (m *Memory) violated(e *entry, p *policy.Outcome, reasons []string, now time.Time) {
	reasons = reasons[:min(len(reasons), maxReasons)]
	at := slices.IndexFunc(e.violations, func(v Violation) bool { return v.Policy == p.Name })
	if at < 0 {
		at = len(e.violations)
		e.violations = append(e.violations, Violation{Policy: p.Name, Image: e.image.Reference, Opened: now})
		m.count(p.Name, 1)
	}
	v := &e.violations[at]
	v.LastSeen, v.Behavior, v.Verdict = now, p.Behavior, p.Verdict
	if !slices.Equal(v.Reasons, reasons) {
		v.Reasons = slices.Clone(reasons)
	}
}

// count changes the number of a policy's open violations.
func (m *Memory) count(name string, by int) {
	if m.open[name] += by; m.open[name] <= 0 {
		delete(m.open, name)
	}
}

// Violations returns the open violations, then the resolved ones that are kept,
// in no order. Their reasons are shared and must not be changed.
func (m *Memory) Violations() []Violation {
	var all []Violation
	for _, e := range m.entries() {
		m.mu.Lock()
		all = append(all, e.violations...)
		m.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(all, m.resolved.kept...)
}
