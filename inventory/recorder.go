package inventory

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// Recorder is a [policy.Decider] that remembers which images were pulled, what was
// decided about them and which policies they violate. It changes no decision: a
// bug in it is logged and the decision goes on. It is safe for concurrent use.
type Recorder struct {
	next   policy.Decider
	memory *Memory
	log    *slog.Logger
}

var _ policy.Decider = (*Recorder)(nil)

// NewRecorder returns a Recorder around next. log receives its own failures; nil
// means discarded.
func NewRecorder(next policy.Decider, memory *Memory, log *slog.Logger) *Recorder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{next: next, memory: memory, log: log}
}

// Decide implements [policy.Decider]. The image is remembered before it is
// decided, so that the results which that brings find it.
func (r *Recorder) Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error) {
	if request.Kind != policy.KindPull || request.Superseded || image.Reference.Digest.IsZero() {
		return r.next.Decide(ctx, request, image)
	}
	e := r.before(ctx, request, image)
	decision, err := r.next.Decide(ctx, request, image)
	if e != nil && err == nil {
		r.after(ctx, e, &image, &decision)
	}
	return decision, err
}

// DecideBlob implements [policy.Decider]; blobs are not remembered.
func (r *Recorder) DecideBlob(ctx context.Context, request policy.Request, blob oci.Digest) (policy.Decision, error) {
	return r.next.DecideBlob(ctx, request, blob)
}

func (r *Recorder) before(ctx context.Context, request policy.Request, image oci.Image) *entry {
	defer r.contain(ctx)
	return r.memory.see(request, image)
}

func (r *Recorder) after(ctx context.Context, e *entry, image *oci.Image, d *policy.Decision) {
	defer r.contain(ctx)
	r.memory.decided(e, d)
	if r.memory.vouched(image.Reference, d, d.Results) {
		r.memory.cfg.Lineage.vouch(image)
	}
}

func (r *Recorder) contain(ctx context.Context) {
	if p := recover(); p != nil {
		r.log.ErrorContext(ctx, "image not remembered", "error", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
	}
}

// decided takes in what was decided about an image.
func (m *Memory) decided(e *entry, d *policy.Decision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.Verdict.Served() && (!e.gone || m.images[name{e.image.Reference.Repository, e.image.Reference.Digest}] == nil) {
		m.served(e)
	}
	if e.gone {
		return
	}
	if d.Exempt != e.image.Exempt {
		e.image.Exempt = d.Exempt
		e.records = nil
		m.schedule.plan(e)
	}
	if d.Exempt {
		m.weigh(e, d, m.cfg.Now())
		return
	}
	for i := range d.Results {
		m.note(e, &d.Results[i], true)
	}
	m.weigh(e, d, m.cfg.Now())
}

// vouched reports whether image was served and verified, so that what it lists is
// to be remembered before what anybody can have recorded. The indexes that verified
// it are remembered with it.
func (m *Memory) vouched(image oci.Reference, d *policy.Decision, results []verify.Result) bool {
	if m.cfg.Lineage == nil || !d.Verdict.Served() {
		return false
	}
	vouched := false
	for i := range results {
		if results[i].Status != verify.Verified {
			continue
		}
		vouched = true
		if above := results[i].InheritedFrom; !above.IsZero() {
			m.cfg.Lineage.keep(image.Repository, image.Digest, above)
		}
	}
	return vouched
}
