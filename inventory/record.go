package inventory

import (
	"slices"
	"time"

	"vouchsafe/oci"
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
	// above, when it is set, counts instead of own: the Verified of an index, or
	// the Unavailable of one that might have verified the image.
	above *verify.Result
	// from is the index through which it was last Verified: content, so true for
	// ever, whatever the lineage forgets.
	from oci.Digest
	// whole is true when what counts was found with a look at the indexes. Without
	// that, anything but a Verified is half an answer: it stands against nothing.
	whole bool
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
	if r.above != nil {
		return r.above
	}
	return &r.own
}

// settled reports whether indexes could change nothing about what counts, or were
// looked at.
func (r *record) settled() bool { return r.whole || r.current().Status == verify.Verified }

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
// stands; nor does what was collected before. The image's own result that is not
// Verified says nothing against what was found with a look at the indexes.
func (r *record) note(result *verify.Result, whole bool, now time.Time, ttl time.Duration) {
	before := r.current()
	status := before.Status
	switch {
	case same(before, result):
		r.whole = r.whole || whole
		return
	case !whole && r.above != nil && r.above.Revision == result.Revision && result.Status != verify.Verified:
		if conclusive(result) && !result.CollectedAt.Before(r.own.CollectedAt) {
			r.setOwn(result)
		}
		return
	case !conclusive(result):
		r.attempt, r.failed = now, result.Reason
		if r.failed == "" {
			r.failed = verify.FetchFailed
		}
		if r.stands(result, whole, now, ttl) {
			return
		}
		r.takeUnknown(result, whole)
	default:
		if conclusive(before) && before.Revision == result.Revision && before.InheritedFrom == result.InheritedFrom &&
			result.CollectedAt.Before(before.CollectedAt) {
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

// stands reports whether what counts stands against an Unavailable.
func (r *record) stands(unknown *verify.Result, whole bool, now time.Time, ttl time.Duration) bool {
	c := r.current()
	return c.Revision == unknown.Revision && conclusive(c) && now.Before(end(c, ttl)) && (!whole || r.settled())
}

// takeUnknown keeps a result that told nothing. One that is not the image's own is
// kept apart from it: when an index could not be asked, what the image itself
// carries is known as before.
func (r *record) takeUnknown(result *verify.Result, whole bool) {
	r.whole, r.above = whole, nil
	if !whole {
		r.setOwn(result)
		return
	}
	if !same(&r.own, result) {
		kept := slim(result)
		r.above = &kept
	}
}

// take keeps a result that told something.
func (r *record) take(result *verify.Result, whole bool) {
	r.whole = whole
	if !result.InheritedFrom.IsZero() {
		kept := slim(result)
		r.above, r.from = &kept, result.InheritedFrom
		return
	}
	r.above = nil
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
// anything else is no change. Nor is what an index makes of it at which nobody had
// looked.
func (r *record) settle(whole bool) {
	switch {
	case r.told == 0:
		r.told, r.alone = r.current().Status, !whole
	case whole:
		if r.alone && r.above != nil {
			r.told = r.above.Status
		}
		r.alone = false
	}
}
