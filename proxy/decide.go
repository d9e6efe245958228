package proxy

import (
	"context"
	"fmt"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// maxDecisions is how often one request is decided: once, and twice more while
// the rules change under it.
const maxDecisions = 3

// judgement keeps the decision of one request current until its first byte.
type judgement struct {
	h       *Handler
	x       *exchange
	ask     func(ctx context.Context, question policy.Request) (policy.Decision, error)
	decided int
	// decision is the last that was made: a request may have two judgements, and
	// x shows the one that was held last.
	decision policy.Decision
}

// hold returns nil when, under the revision in force at this moment, the content
// may be served. It is called again whenever time has passed since; it asks the
// decider only when there is no decision yet or the revision has changed.
func (j *judgement) hold(ctx context.Context) error {
	for {
		if j.current() {
			j.show()
			return refused(j.decision)
		}
		// The rules outran this request: the last question is for a refusal, so
		// that the answer names a record that says what was answered.
		last := j.decided >= maxDecisions
		question := j.x.question()
		question.Superseded = last
		d, err := j.ask(ctx, question)
		if err == nil && last && d.Verdict.Served() {
			err = fmt.Errorf("decision %s serves a superseded question", d.ID)
		}
		if err != nil {
			// An earlier decision is not the one that is answered.
			j.x.decision = policy.Decision{}
			j.x.Header().Del("Vouchsafe-Decision")
			return fmt.Errorf("decide %s: %w", j.x.ask.ref, err)
		}
		j.decided++
		j.decision = d
		if last {
			j.show()
			return refused(d)
		}
	}
}

// current reports whether the last decision was made under the revision in force.
func (j *judgement) current() bool {
	return j.decided > 0 && j.decision.Revision == j.h.cfg.Revision()
}

// show makes the last decision the one that is answered.
func (j *judgement) show() {
	j.x.decision = j.decision
	j.x.Header().Set("Vouchsafe-Decision", j.decision.ID+" "+j.decision.Verdict.String())
}

// holdBoth holds the judgement of a blob and, when it is a manifest, that of the
// manifest, both under one revision; manifest may be nil.
func holdBoth(ctx context.Context, blob, manifest *judgement) error {
	for {
		if err := blob.hold(ctx); err != nil {
			return err
		}
		if manifest == nil {
			return nil
		}
		if err := manifest.hold(ctx); err != nil {
			return err
		}
		// To decide about the manifest may have taken long.
		if blob.current() {
			return nil
		}
	}
}

// judgeImage is the judgement of a manifest.
func (h *Handler) judgeImage(x *exchange, image oci.Image) *judgement {
	return &judgement{h: h, x: x, ask: func(ctx context.Context, question policy.Request) (policy.Decision, error) {
		d, err := h.decider.Decide(ctx, question, image)
		// A decision about something else, or about nothing, serves nothing.
		if err == nil && d.Verdict.Served() && d.Image.Digest != image.Reference.Digest {
			return policy.Decision{}, fmt.Errorf("decision %s is about %q", d.ID, d.Image.Digest)
		}
		return d, err
	}}
}

// judgeBlob is the judgement of a blob.
func (h *Handler) judgeBlob(x *exchange) *judgement {
	return &judgement{h: h, x: x, ask: func(ctx context.Context, question policy.Request) (policy.Decision, error) {
		return h.decider.DecideBlob(ctx, question, x.ask.ref.Digest)
	}}
}
