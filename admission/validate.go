package admission

import (
	"context"
	"errors"
	"strings"

	"vouchsafe/policy"
)

// validate judges the images that the review brings.
func (h *Handler) validate(ctx context.Context, v *review, entry *logLine) (response, error) {
	subjects, direct := h.subjects(v)
	if len(subjects) == 0 {
		entry.verdict = untouched
		return response{UID: v.UID, Allowed: true}, nil
	}
	decisions, err := h.judgeAll(ctx, v, subjects)
	if err != nil {
		return response{}, err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return response{}, ctx.Err() // Nobody reads it.
	}
	verdict := policy.Allow
	for _, d := range decisions {
		verdict = policy.Worse(verdict, d.Verdict)
		entry.decisions = append(entry.decisions, d.ID)
	}
	entry.verdict = verdict.String()
	if !verdict.Served() {
		// Nothing is pulled, by whichever way.
		return response{UID: v.UID, Status: denial(decisions, verdict), Warnings: warnings(decisions, nil)}, nil
	}
	return response{UID: v.UID, Allowed: true, Warnings: warnings(decisions, direct)}, nil
}

// subjects returns each distinct image that the review brings, in the order in which
// they are started, and warnings about those that a pod pulls past the gateway
// although they could be rewritten to it.
func (h *Handler) subjects(v *review) (all []subject, direct []string) {
	seen := map[subject]bool{}
	read := map[string]bool{}
	for _, u := range v.fresh() {
		// A template may leave an image to be filled in later; what fills it in is
		// judged then, and the pod in any case.
		if read[u.image] || v.place != inSpec && strings.TrimSpace(u.image) == "" {
			continue
		}
		read[u.image] = true
		s := subject{}
		ref, through, err := h.names.origin(u.image)
		if s.ref = ref; err != nil {
			s = subject{name: nameOf(u.image)}
		}
		// A pod that was not rewritten is pulled past the gateway; the pods of a
		// template will be rewritten; without PULL_HOST it is the nodes that are
		// configured.
		s.pulled = !h.cfg.ContactRegistries && (through || v.place != inSpec || h.names.host == "")
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
		if err == nil && !through && v.place == inSpec && h.names.host != "" && h.cfg.Listed(ref.Repository.Registry) {
			direct = append(direct, ref.String()+" is not pulled through the gateway (PULL_HOST) unless its node is configured to")
		}
	}
	return all, direct
}

// nameOf is a text that is no image name, as a question may carry it: bounded, and
// never empty, since that says that there is a name.
func nameOf(image string) string {
	const most = 512
	switch {
	case image == "":
		return `""`
	case len(image) > most:
		return strings.ToValidUTF8(image[:most], "") + "…"
	}
	return image
}
