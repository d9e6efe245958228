package content

import (
	"context"
	"sync"
	"time"

	"vouchsafe/oci"
)

const (
	// staleWait is how long a registry is waited for while an answer is at hand.
	staleWait = 5 * time.Second
	// staleRest is how long a tag is not asked for again after it could not be
	// confirmed.
	staleRest = 5 * time.Second
	// staleLog is how often it is logged that a registry's tags are stale.
	staleLog = time.Minute
)

// known is the last resolution of a tag with its bytes.
type known struct {
	resolution
	found *manifest
}

// lastKnown returns what may be answered for a tag that cannot be confirmed: its
// last resolution, if that is not too old and its bytes are in memory.
func (r *Resolver) lastKnown(ref oci.Reference) (known, bool) {
	if !ref.Digest.IsZero() {
		return known{}, false
	}
	last, ok := r.tags.get(label{ref.Repository, ref.Tag})
	if !ok || r.cfg.Now().Sub(last.at) > r.cfg.StaleTagTTL(ref.Repository.Registry) {
		return known{}, false
	}
	m, ok := r.store.get(place{ref.Repository, last.digest})
	return known{last, m}, ok
}

// troubledNow returns the same for a tag that could not be confirmed a moment
// ago.
func (r *Resolver) troubledNow(ref oci.Reference) (known, bool) {
	last, ok := r.lastKnown(ref)
	return last, ok && r.cfg.Now().Sub(last.failed) < staleRest
}

// serveStale answers with what the tag named when it was last confirmed. cause
// is nil when the registry was not asked.
func (r *Resolver) serveStale(ctx context.Context, ref oci.Reference, last known, cause error) oci.Image {
	now := r.cfg.Now()
	if cause != nil {
		r.tags.fail(label{ref.Repository, ref.Tag}, last.resolution, now)
	}
	r.cfg.Observe("stale")
	if cause != nil && r.troubled.tell(ref.Repository.Registry, now) {
		r.cfg.Log.WarnContext(ctx, "a registry is in trouble; tags are answered as they were last confirmed",
			"registry", ref.Repository.Registry, "image", ref.String(), "age", now.Sub(last.at).Round(time.Second), "error", cause)
	}
	image := image(ref, last.digest, last.found)
	image.Age = max(time.Second, now.Sub(last.at))
	return image
}

// unconfirmed notes why a tag could not be confirmed. Of one that is gone, or
// may not be read any more, nothing is remembered: no trouble that follows makes
// it an answer again.
func (r *Resolver) unconfirmed(l label, last resolution, err error) {
	switch {
	case absent(err), oci.CodeOf(err) == oci.CodeUnauthorized:
		r.tags.forget(l)
	case trouble(err):
		r.tags.fail(l, last, r.cfg.Now())
	}
}

// trouble reports whether err is a failure of the upstream, not its answer.
func trouble(err error) bool {
	if err == nil {
		return false
	}
	switch oci.CodeOf(err) {
	case oci.CodeUpstream, oci.CodeTimeout, oci.CodeBusy:
		return true
	default:
		return false
	}
}

// troubled says when the trouble of a registry was last logged. The zero value is
// empty. Registries are a closed list.
type troubled struct {
	mu   sync.Mutex // guards last
	last map[string]time.Time
}

func (t *troubled) tell(registry string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.last[registry]; ok && now.Sub(last) < staleLog {
		return false
	}
	if t.last == nil {
		t.last = map[string]time.Time{}
	}
	t.last[registry] = now
	return true
}
