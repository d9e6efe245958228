package content

import (
	"time"

	"vouchsafe/oci"
)

// Known returns what [Resolver.Resolve] would answer for ref without asking
// anybody: a digest whose bytes are in memory, a tag whose resolution is no older
// than its TTL, or, while its registry is in trouble, the last resolution with its
// age. It never waits, starts nothing and is not observed.
func (r *Resolver) Known(ref oci.Reference) (oci.Image, bool) {
	if ref.Digest.IsZero() && ref.Tag == "" {
		return oci.Image{}, false
	}
	if digest, m, ok := r.remembered(ref); ok {
		return image(ref, digest, m), true
	}
	last, ok := r.troubledNow(ref)
	if !ok {
		return oci.Image{}, false
	}
	found := image(ref, last.digest, last.found)
	found.Age = max(time.Second, r.cfg.Now().Sub(last.at))
	return found, true
}
