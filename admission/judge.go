package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

const (
	// atOnce is how many images of a review are judged at the same time.
	atOnce = 8
	// maxDecisions is how often an image is decided: once, and twice more while the
	// rules change under it.
	maxDecisions = 3
)

// subject is one distinct image of a review: where it comes from, or the text that
// is no image name.
type subject struct {
	ref  oci.Reference
	name string
	// pulled says that what is not known may be left to the pull, since that goes
	// through the gateway.
	pulled bool
}

// ask is what is asked about an image.
func (h *Handler) ask(v *review, ref oci.Reference) policy.Request {
	return policy.Request{
		Kind: policy.KindAdmission, Reference: ref, Client: v.client, Namespace: v.Namespace, Workload: v.workload(),
	}
}

// judgeAll decides about each subject, all under the revision that is in force in
// the end. It is given up at the review's last instant, whatever hangs: then, as
// for any error, nothing is answered.
func (h *Handler) judgeAll(ctx context.Context, v *review, subjects []subject) ([]policy.Decision, error) {
	type outcome struct {
		decisions []policy.Decision
		err       error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			// Here it would end the process, and with it the answers to all others.
			if p := recover(); p != nil {
				done <- outcome{err: fmt.Errorf("judge: panic: %v\n%s", p, debug.Stack())}
			}
		}()
		decisions, err := h.judgeCurrent(ctx, v, subjects)
		done <- outcome{decisions, err}
	}()
	late := time.NewTimer(time.Until(v.limits.answered))
	defer late.Stop()
	select {
	case o := <-done:
		return o.decisions, o.err
	case <-late.C:
		return nil, refuse(http.StatusServiceUnavailable, "the review was not judged in time")
	}
}

// judgeCurrent decides again what was decided under rules that have changed since.
func (h *Handler) judgeCurrent(ctx context.Context, v *review, subjects []subject) ([]policy.Decision, error) {
	decisions := make([]policy.Decision, len(subjects))
	for round := 0; ; round++ {
		// The rules outran this review: the last question is for a refusal, so that
		// the answer names a record that says what was answered.
		last := round == maxDecisions
		var stale []int
		for i := range subjects {
			if round == 0 || decisions[i].Revision != h.cfg.Revision() {
				stale = append(stale, i)
			}
		}
		err := together(len(stale), func(n int) (err error) {
			i := stale[n]
			decisions[i], err = h.judge(ctx, v, subjects[i], last)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(stale) == 0 || last {
			return decisions, nil
		}
	}
}

// together does n things, [atOnce] at the same time and one of them here: most
// reviews have one image.
func together(n int, do func(n int) error) error {
	var next atomic.Int64
	work := func() error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}
			if err := do(i); err != nil {
				return err
			}
		}
	}
	var group errgroup.Group
	for range min(n, atOnce) - 1 {
		group.Go(work)
	}
	return errors.Join(work(), group.Wait())
}

// judge decides about one subject.
func (h *Handler) judge(ctx context.Context, v *review, s subject, superseded bool) (d policy.Decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = policy.Decision{}, fmt.Errorf("judge %s: panic: %v\n%s", s.ref, p, debug.Stack())
		}
	}()
	question := h.ask(v, s.ref)
	question.Superseded = superseded
	question.KnownOnly, question.PullJudges = !h.cfg.ContactRegistries, s.pulled
	image, unresolved := h.find(ctx, v, s)
	d, err = h.decide(ctx, v, question, image, unresolved)
	if err != nil && unresolved.IsZero() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The time of this review is over, which is an answer.
		d, err = h.decide(ctx, v, question, oci.Image{}, policy.TimedOut())
	}
	return d, err
}

// decide asks the decider and checks that it answered what was asked.
func (h *Handler) decide(ctx context.Context, v *review, question policy.Request, image oci.Image, unresolved policy.Unresolved) (policy.Decision, error) {
	decider := h.decider
	if v.DryRun {
		decider = h.unrecorded
	}
	if question.Unresolved = unresolved; !unresolved.IsZero() {
		image = oci.Image{Reference: question.Reference}
		// Nothing is waited for, and what was found out in time is still recorded.
		ctx = context.WithoutCancel(ctx)
	}
	d, err := decider.Decide(ctx, question, image)
	if err != nil {
		return policy.Decision{}, fmt.Errorf("decide %s: %w", question.Reference, err)
	}
	if d.Image != image.Reference || d.Name != unresolved.Name {
		return policy.Decision{}, fmt.Errorf("decision %s is about %s", d.ID, d.Subject())
	}
	if question.Superseded && d.Verdict.Served() {
		return policy.Decision{}, fmt.Errorf("decision %s serves a superseded question", d.ID)
	}
	return d, nil
}

// find returns the image of a subject, or why there is none.
func (h *Handler) find(ctx context.Context, v *review, s subject) (oci.Image, policy.Unresolved) {
	if s.name != "" {
		return oci.Image{}, policy.NoName(s.name)
	}
	if !h.cfg.Listed(s.ref.Repository.Registry) {
		return oci.Image{}, policy.NotListed()
	}
	if image, known := h.resolver.Known(s.ref); known {
		return image, policy.Unresolved{}
	}
	if !h.cfg.ContactRegistries {
		return oci.Image{}, policy.NotKnown()
	}
	wait, cancel := inTime(ctx)
	defer cancel()
	image, err := h.lookups.find(wait, v, s.ref)
	switch {
	case err == nil:
		return image, policy.Unresolved{}
	case wait.Err() != nil:
		return oci.Image{}, policy.TimedOut()
	}
	if oci.CodeOf(err) == oci.CodeInternal {
		h.cfg.Log.ErrorContext(ctx, "image not resolved", "image", s.ref.String(), "error", err)
	}
	return oci.Image{}, policy.NotResolved(err)
}

// inTime returns ctx with an end before its own, so that a registry that hangs
// leaves the time in which to decide, and to record, what is not known.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, _ := ctx.Deadline()
	return context.WithDeadline(ctx, end.Add(-min(time.Second, time.Until(end)/10)))
}

// judgeBehind judges an image that came too late for its review: its results are
// kept for the next.
func (h *Handler) judgeBehind(ctx context.Context, v *review, image oci.Image) {
	if _, err := h.unrecorded.Decide(ctx, h.ask(v, image.Reference), image); err != nil {
		h.cfg.Log.DebugContext(ctx, "not judged behind an answer", "image", image.Reference.String(), "error", err)
	}
}
