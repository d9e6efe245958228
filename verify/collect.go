package verify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"vouchsafe/oci"
)

const (
	// blobsAtOnce and manifestsAtOnce bound what one collection has in flight.
	// A manifest may have 4 MiB, whatever its descriptor says, where a signature
	// has 1.
	blobsAtOnce     = 8
	manifestsAtOnce = 2
)

// Collector asks registries for evidence. The fields must not change once it is
// in use; then it is safe for concurrent use.
type Collector struct {
	Source Source
	// Timeout bounds one collection; zero means [EvidenceTimeout].
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives the causes of problems; nil means discarded.
	Log *slog.Logger
	// PayloadBytes bounds the signatures that all collections hold at one time,
	// half of it for one registry; zero means 128 MiB. Large manifests may have
	// half of that besides. What gets no room in time is Unavailable.
	PayloadBytes int64

	held collectMemory
}

// Collect asks all places beside an image where signatures of digest may be, at
// the same time: the tag of cosign's own format, the referrers API and the
// referrers tag.
// Trouble is inside the evidence. Items come interleaved over the places; those
// whose layer or manifest has one of the digests in first come before all
// others, within the same caps.
//
// Listing has half of the time, manifests of referrers have a further quarter,
// so that a place that hangs does not cost what another place holds.
func (c *Collector) Collect(ctx context.Context, repository oci.Repository, digest oci.Digest, first ...oci.Digest) Evidence {
	evidence, release := c.collect(ctx, subject{repository, digest, repository}, first)
	release()
	return evidence
}

// collect is Collect in the repository that about names for signatures, for a
// caller that goes on holding the evidence: release gives back the memory that it
// was granted.
func (c *Collector) collect(ctx context.Context, about subject, first []oci.Digest) (evidence Evidence, release func()) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = EvidenceTimeout
	}
	start := time.Now()
	r := &round{collector: c, repository: about.signatures, digest: about.digest, first: first, release: func() {}}
	defer func() {
		if release == nil {
			r.release() // A panic.
		}
	}()
	r.within(ctx, start.Add(timeout/2), r.list)
	candidates := r.choose()
	r.within(ctx, start.Add(timeout/4*3), func(ctx context.Context) { r.open(ctx, candidates) })
	items := r.admit(candidates)
	r.within(ctx, start.Add(timeout), func(ctx context.Context) { r.fetch(ctx, items) })

	evidence = Evidence{
		Repository: about.repository, Digest: about.digest, Signatures: about.signatures,
		OverLimit: r.overLimit, CollectedAt: c.now(),
	}
	for _, place := range r.places {
		evidence.Problems = append(evidence.Problems, place.problems...)
	}
	for _, item := range items {
		evidence.Items = append(evidence.Items, item.Item)
	}
	return evidence, r.release
}

func (c *Collector) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// note logs the cause of a problem, which clients are not told.
func (c *Collector) note(ctx context.Context, repository oci.Repository, digest oci.Digest, problem Problem, err error) {
	if c.Log != nil {
		c.Log.DebugContext(ctx, "evidence not read", "repository", repository.String(), "digest", digest.String(),
			"reason", string(problem.Reason), "problem", problem.Message, "error", err)
	}
}

// round is one collection.
type round struct {
	collector *Collector
	// repository is the one that is asked, which need not be the image's.
	repository oci.Repository
	digest     oci.Digest
	first      []oci.Digest
	places     [3]place
	overLimit  bool
	// release gives back what reserve took; never nil.
	release func()
}

// place is one of the places where signatures may be.
type place struct {
	candidates []*candidate
	problems   []Problem
	overLimit  bool
}

// candidate is a signature, or a manifest that may hold some.
type candidate struct {
	// descriptor is a layer (simple signing) or a manifest (referrers).
	descriptor oci.Descriptor
	format     Format
	source     oci.Reference
	// surely is true when what lists the manifest calls it a bundle.
	surely bool
	// items is what came of it.
	items []*pending
}

// pending is an item whose payload is still to be fetched.
type pending struct {
	Item
	size int64
}

func (r *round) within(ctx context.Context, deadline time.Time, do func(context.Context)) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	do(ctx)
}

// choose interleaves the places' candidates, drops what two places list, puts
// the preferred ones first and cuts at MaxSignatures.
func (r *round) choose() []*candidate {
	for _, place := range r.places {
		r.overLimit = r.overLimit || place.overLimit
	}
	var all []*candidate
	seen := map[oci.Digest]bool{}
	for i, more := 0, true; more; i++ {
		more = false
		for _, place := range r.places {
			if i >= len(place.candidates) {
				continue
			}
			more = true
			one := place.candidates[i]
			// Two signatures over the same payload are one layer twice with
			// other annotations: only referrers are the same when their digest is.
			if one.format == FormatBundle {
				if seen[one.descriptor.Digest] {
					continue
				}
				seen[one.descriptor.Digest] = true
			}
			all = append(all, one)
		}
	}
	if len(r.first) > 0 {
		slices.SortStableFunc(all, func(a, b *candidate) int { return r.rank(a) - r.rank(b) })
	}
	if len(all) > MaxSignatures {
		r.overLimit = true
		all = all[:MaxSignatures]
	}
	return all
}

func (r *round) rank(c *candidate) int {
	if slices.Contains(r.first, c.descriptor.Digest) {
		return 0
	}
	return 1
}

// admit applies the caps to the items, in order, before anything of them is
// fetched. Sizes are declared, so a fetch has its own limit besides.
func (r *round) admit(candidates []*candidate) []*pending {
	var items []*pending
	var total int64
	bundles := map[oci.Digest]bool{}
	for _, one := range candidates {
		for _, item := range one.items {
			if item.Format == FormatBundle && item.Problem == nil {
				if bundles[item.Digest] {
					continue
				}
				bundles[item.Digest] = true
			}
			if len(items) == MaxSignatures {
				r.overLimit = true
				return items
			}
			items = append(items, item)
			if item.Problem != nil {
				r.overLimit = r.overLimit || item.Problem.Reason == OverLimit
				continue
			}
			size := item.size + annotationBytes(item.Annotations)
			switch {
			case size > MaxSignatureBytes || size < 0:
				item.Problem = overLimit("larger than %d bytes", MaxSignatureBytes)
				r.overLimit = true
			case total+size > MaxEvidenceBytes:
				item.Problem = overLimit("the signatures of this image are larger than %d bytes together", MaxEvidenceBytes)
				r.overLimit = true
			default:
				total += size
			}
		}
	}
	return items
}

func annotationBytes(annotations map[string]string) int64 {
	var n int64
	for k, v := range annotations {
		n += int64(len(k) + len(v))
	}
	return n
}

// sigTag returns the tag of cosign's own format for digest; ok is false when no
// registry can hold it, since it is longer than a tag may be (sha512).
func sigTag(digest oci.Digest) (tag string, ok bool) {
	tag = digest.TagName() + ".sig"
	return tag, oci.CheckTag(tag) == nil
}

// asked names the places, for messages.
func asked(digest oci.Digest) string {
	if tag, ok := sigTag(digest); ok {
		return fmt.Sprintf("tag %s, referrers API, referrers tag", tag)
	}
	return fmt.Sprintf("referrers API, referrers tag %s", digest.ReferrersTag())
}
