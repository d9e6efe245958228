package kube

import (
	"context"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

const (
	// maxRefusals is how many names of refused images are remembered.
	maxRefusals = 4096
	// refusalLife is for how long: the kubelet tries again after five minutes at
	// most.
	refusalLife = 10 * time.Minute
)

// Refusals is a [policy.Decider] that remembers which pulls were refused lately,
// and why. It changes no decision. It is safe for concurrent use.
type Refusals struct {
	next policy.Decider
	now  func() time.Time
	kept *lru.Cache[string, refusal]
}

var _ policy.Decider = (*Refusals)(nil)

// refusal is what is remembered of one.
type refusal struct {
	// message is the decision's, cause the same without what differs between two
	// decisions for one reason.
	message, cause string
	at             time.Time
}

// NewRefusals returns a memory of refusals around next; now is the clock, nil
// means time.Now.
func NewRefusals(next policy.Decider, now func() time.Time) *Refusals {
	if now == nil {
		now = time.Now
	}
	// It fails for a size below one alone.
	kept, err := lru.New[string, refusal](maxRefusals)
	if err != nil {
		panic(err)
	}
	return &Refusals{next: next, now: now, kept: kept}
}

// Decide implements [policy.Decider].
func (r *Refusals) Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error) {
	decision, err := r.next.Decide(ctx, request, image)
	if request.Kind == policy.KindPull && !request.Superseded && err == nil {
		r.note(request, image, &decision)
	}
	return decision, err
}

// DecideBlob implements [policy.Decider]; blobs are not remembered, since nobody
// waits for one whose manifest was served.
func (r *Refusals) DecideBlob(ctx context.Context, request policy.Request, blob oci.Digest) (policy.Decision, error) {
	return r.next.DecideBlob(ctx, request, blob)
}

// note remembers a refusal under the names by which a pod may ask for the image,
// and forgets it when the image is served.
func (r *Refusals) note(request policy.Request, image oci.Image, d *policy.Decision) {
	for _, key := range keysOf(request.Reference, image.Reference) {
		if d.Verdict.Served() {
			r.kept.Remove(key)
			continue
		}
		r.kept.Add(key, refusal{
			message: cut(d.Message, maxEventMessage), cause: strings.Replace(d.Message, d.ID, "", 1), at: r.now(),
		})
	}
}

// keysOf returns the names of some references, by tag and by digest.
func keysOf(refs ...oci.Reference) []string {
	var keys []string
	for _, ref := range refs {
		if ref.Tag != "" {
			keys = append(keys, oci.Reference{Repository: ref.Repository, Tag: ref.Tag}.String())
		}
		if !ref.Digest.IsZero() {
			keys = append(keys, oci.Reference{Repository: ref.Repository, Digest: ref.Digest}.String())
		}
	}
	return keys
}

// find returns the last refusal of an image as a pod names it: by its digest when
// it has one, which is what a runtime asks for then.
func (r *Refusals) find(ref oci.Reference) (refusal, bool) {
	if !ref.Digest.IsZero() {
		ref.Tag = ""
	}
	for _, key := range keysOf(ref) {
		if found, ok := r.kept.Get(key); ok && r.now().Sub(found.at) < refusalLife {
			return found, true
		}
	}
	return refusal{}, false
}
