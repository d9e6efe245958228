package admission

import (
	"context"
	"encoding/json"
	"slices"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// mutate rewrites the images of a pod that the review brings. It asks nobody and
// refuses nothing: what cannot be rewritten is left as it is, for validation and
// the pull to judge. Templates are left alone, since whoever wrote them would see
// them drift.
func (h *Handler) mutate(ctx context.Context, v *review, entry *logLine) (response, error) {
	answer := response{UID: v.UID, Allowed: true}
	entry.verdict = untouched
	if v.place != inSpec || h.names.host == "" || v.SubResource != "" && v.SubResource != ephemeralSubresource {
		return answer, nil
	}
	var patch []operation
	before := map[string]string{}
	pins := map[oci.Reference]oci.Digest{}
	for _, u := range v.fresh() {
		if v.SubResource == ephemeralSubresource && u.list != ephemeral {
			continue
		}
		name, ok := h.as(u)
		if !ok {
			name, ok = h.rewritten(ctx, v, u.image, pins)
		}
		if !ok {
			continue
		}
		patch = append(patch, operation{"replace", u.pointer(), name})
		before[u.id()] = u.image
	}
	if len(patch) == 0 {
		return answer, nil
	}
	// The API server keeps metadata as it was on a subresource.
	if note, ok := h.names.annotate(v.object, before); ok && v.SubResource == "" {
		patch = append(patch, note)
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return response{}, err
	}
	entry.verdict = rewritten
	answer.Patch, answer.PatchType = text, "JSONPatch"
	return answer, nil
}

// ephemeralSubresource is how ephemeral containers are added to a pod.
const ephemeralSubresource = "ephemeralcontainers"

// as returns the name that a use had, when it was rewritten from the one that it
// has now: whoever applies a pod's manifest again changes nothing. Another name
// for the same would restart the container, and of a volume it is refused.
func (h *Handler) as(u use) (string, bool) {
	if u.had == "" {
		return "", false
	}
	before, through, err := h.names.origin(u.had)
	if err != nil || !through {
		return "", false
	}
	now, direct, err := h.names.origin(u.image)
	if err != nil || direct || !h.cfg.Listed(now.Repository.Registry) {
		return "", false
	}
	if now.Digest.IsZero() {
		before.Digest = oci.Digest{} // PIN added it.
	}
	return u.had, before == now
}

// rewritten returns the name by which an image is pulled through the gateway; false
// for one that is left as it is.
func (h *Handler) rewritten(ctx context.Context, v *review, image string, pins map[oci.Reference]oci.Digest) (string, bool) {
	ref, through, err := h.names.origin(image)
	if err != nil || through || !h.cfg.Listed(ref.Repository.Registry) {
		return "", false
	}
	if h.cfg.Pin && ref.Digest.IsZero() {
		pin, asked := pins[ref]
		if !asked {
			pin = h.pin(ctx, v, ref)
			pins[ref] = pin
		}
		ref.Digest = pin
	}
	return h.names.rewrite(ref)
}

// pin returns the digest that a tag is known to name, when it is known too that it
// is served; else zero. Nobody is asked.
func (h *Handler) pin(ctx context.Context, v *review, ref oci.Reference) oci.Digest {
	image, known := h.resolver.Known(ref)
	if !known || image.Age > 0 || ctx.Err() != nil {
		return oci.Digest{}
	}
	question := h.ask(v, ref)
	question.KnownOnly = true
	d, err := h.unrecorded.Decide(ctx, question, image)
	if err != nil || !d.Verdict.Served() || slices.Contains(d.Reasons, policy.ReasonNotKnown) || d.Image.Digest != image.Reference.Digest {
		return oci.Digest{}
	}
	return image.Reference.Digest
}
