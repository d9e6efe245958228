package inventory

import (
	"slices"
	"time"

	"vouchsafe/verify"
)

// lastVerifiedFor is how long a result may say when an image was last Verified.
const lastVerifiedFor = 24 * time.Hour

// record is what one integration makes of one image.
type record struct {
	integration string
	// own is the image's own result, until when it is one for the cache, zero for
	// never.
	own   verify.Result
	until time.Time
	// inherited is the result of an index, which then counts; nil without one.
	inherited *verify.Result
	// told is the status that was told last: what a change is a change from. alone
	// is true while it comes from own alone, without a look at any index.
	told  verify.Status
	alone bool
	since time.Time
	// verified is when it was last Verified, attempt when it was last tried, and
	// failed why that told nothing.
	verified, attempt time.Time
	failed            verify.Reason
}

// current is the result that counts.
func (r *record) current() *verify.Result {
	if r.inherited != nil {
		return r.inherited
	}
	return &r.own
}

// view is the record as callers see it.
func (r *record) view() Result {
	c := r.current()
	return Result{
		Integration: r.integration, Revision: c.Revision, Status: c.Status, Reason: c.Reason,
		Signer: c.Signer, Issuer: c.Issuer, InheritedFrom: c.InheritedFrom,
		Since: r.since, CheckedAt: c.CollectedAt, LastVerifiedAt: r.verified,
		LastAttempt: r.attempt, LastAttemptFailed: r.failed,
	}
}

// end is when a result that told something stops standing against one that tells
// nothing.
func end(r *verify.Result, ttl time.Duration) time.Time {
	at := r.CollectedAt.Add(ttl)
	if r.Status == verify.Verified && !r.EndsAt.IsZero() && r.EndsAt.Before(at) {
		return r.EndsAt
	}
	return at
}

// conclusive reports whether something was found out.
func conclusive(r *verify.Result) bool {
	return r.Status == verify.Verified || r.Status == verify.Unsigned || r.Status == verify.Untrusted
}

// note takes a result in. whole is true when indexes were looked at, too. An
// Unavailable changes nothing while what was found out under the same revision
// stands; nor does what was collected before.
func (r *record) note(result *verify.Result, whole bool, now time.Time, ttl time.Duration) {
	before := r.current()
	status := before.Status
	if same(before, result) {
		return
	}
	if !conclusive(result) {
		r.attempt, r.failed = now, result.Reason
		if r.failed == "" {
			r.failed = verify.FetchFailed
		}
		if before.Revision == result.Revision && conclusive(before) && now.Before(end(before, ttl)) {
			return
		}
		r.inherited = nil
		r.setOwn(result)
	} else {
		if before.Revision == result.Revision && before.InheritedFrom == result.InheritedFrom && result.CollectedAt.Before(before.CollectedAt) {
			return
		}
		r.attempt, r.failed = now, ""
		r.take(result, whole)
	}
	if r.current().Status != status {
		r.since = now
	}
	if c := r.current(); c.Status == verify.Verified {
		r.verified = c.JudgedAt
	}
}

// take keeps a result that told something.
func (r *record) take(result *verify.Result, whole bool) {
	if !result.InheritedFrom.IsZero() {
		kept := slim(result)
		r.inherited = &kept
		return
	}
	if whole || r.inherited != nil && r.inherited.Revision != result.Revision {
		r.inherited = nil
	}
	r.setOwn(result)
}

func (r *record) setOwn(result *verify.Result) {
	if !same(&r.own, result) {
		r.own, r.until = slim(result), time.Time{}
	}
}

// same reports whether b is what is known as a.
func same(a, b *verify.Result) bool {
	return a.Status == b.Status && a.Revision == b.Revision && a.InheritedFrom == b.InheritedFrom && a.CollectedAt.Equal(b.CollectedAt)
}

// slim is what is kept of a result: bounded text, and of its signatures the first
// that verified, which is asked for first when it is collected anew.
func slim(r *verify.Result) verify.Result {
	kept := *r
	kept.Signer, kept.Issuer = boundOwn(r.Signer, maxSigner), boundOwn(r.Issuer, maxSigner)
	// A status and a reason say what the message does, which is the same for most
	// images but for their names.
	kept.Message = ""
	kept.Signatures, kept.Cached = nil, false
	at := slices.IndexFunc(r.Signatures, func(s verify.Signature) bool { return s.Status == verify.Verified })
	if at >= 0 {
		one := r.Signatures[at]
		one.Message = ""
		kept.Signatures = []verify.Signature{one}
	}
	return kept
}

// cached is what the record holds for a cache, as [verify.Cache] says.
func (r *record) cached(revision string, now time.Time) (result verify.Result, fresh, found bool) {
	if r.own.Status == 0 || r.own.Revision != revision {
		return verify.Result{}, false, false
	}
	if now.Before(r.until) {
		return r.own, true, true
	}
	verified := r.own.LastVerifiedAt
	if r.own.Status == verify.Verified {
		verified = r.own.JudgedAt
	}
	if r.own.Status != verify.Verified && r.own.Status != verify.Unavailable || verified.IsZero() || now.Sub(verified) >= lastVerifiedFor {
		return verify.Result{}, false, false
	}
	return r.own, false, true
}

// record returns e's record of an integration, made when it is new.
func (e *entry) record(integration string) *record {
	if r := e.find(integration); r != nil {
		return r
	}
	r := &record{integration: integration}
	e.records = append(e.records, r)
	return r
}

// find returns e's record of an integration, nil without one.
func (e *entry) find(integration string) *record {
	for _, r := range e.records {
		if r.integration == integration {
			return r
		}
	}
	return nil
}

// note takes a result of e in. A status that becomes another than was told makes
// the image due at once. m.mu is held.
func (m *Memory) note(e *entry, result *verify.Result, whole bool) *record {
	r := e.record(result.Integration)
	before := r.current().Status
	r.note(result, whole, m.cfg.Now(), m.cfg.VerifiedTTL)
	r.settle(whole)
	switch after := r.current(); {
	case after.Status != r.told && after.Status != before:
		m.schedule.hurry(e, m.cfg.Now(), result.CollectedAt)
	case !after.EndsAt.IsZero():
		m.schedule.plan(e)
	}
	return r
}

// settle takes a first status as told: that an image was never known to be
// anything else is no change. Nor is that it is Verified through an index at which
// nobody had looked.
func (r *record) settle(whole bool) {
	switch {
	case r.told == 0:
		r.told, r.alone = r.current().Status, !whole
	case whole:
		if r.alone && r.inherited != nil {
			r.told = r.inherited.Status
		}
		r.alone = false
	}
}
