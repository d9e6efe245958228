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
}

// hold returns nil when, under the revision in force at this moment, the content
// may be served. It is called again whenever time has passed since; it asks the
// decider only when there is no decision yet or the revision has changed.
func (j *judgement) hold(ctx context.Context) error {
	for {
		if j.decided > 0 && j.x.decision.Revision == j.h.cfg.Revision() {
			return refused(j.x.decision)
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
		j.x.decision = d
		j.x.Header().Set("Vouchsafe-Decision", d.ID+" "+d.Verdict.String())
		if last {
			return refused(d)
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
