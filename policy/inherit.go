package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// Limits of inheritance. Whoever may push to a repository can make many indexes
// list one child; they bound what a pull of that child costs.
const (
	// MaxAncestry is how many levels of indexes above an image count.
	MaxAncestry = 4
	// MaxParents is how many indexes of one level are asked.
	MaxParents = 64
	// parentsAtOnce is how many of them are asked at the same time.
	parentsAtOnce = 8
)

// heir is an image whose results may be taken from the indexes that list it.
type heir struct {
	engine *Engine
	image  oci.Reference
	// knownOnly asks nobody about an index either.
	knownOnly bool
	// results are the image's own, and what became of them.
	results []verify.Result
	// open are the signers without a Verified result so far.
	open []signer
	// lastVerified is when an ancestor that is Unavailable now was last
	// Verified, by signer.
	lastVerified map[string]time.Time
	// unavailable is the first ancestor's result that was Unavailable, by signer.
	unavailable map[string]verify.Result
}

// inherit returns results with those that are not Verified taken from an index
// of the same repository that lists the image, directly or through other
// indexes, where that is Verified now. Where an index or the lineage could not
// be asked a result becomes Unavailable: then it is not known whether the image
// is Verified. known are indexes above it that are asked whatever the lineage
// says; what lists them is not, since they may be as far above as counts. results
// is not changed.
func (e *Engine) inherit(ctx context.Context, h heir, signers []signer, results []verify.Result, known ...oci.Digest) ([]verify.Result, error) {
	var open []signer
	for i, s := range signers {
		if results[i].Status != verify.Verified {
			open = append(open, s)
		}
	}
	if len(open) == 0 {
		return results, nil
	}
	h.engine, h.results, h.open = e, results, open
	level, seen := []oci.Digest{h.image.Digest}, map[oci.Digest]bool{h.image.Digest: true}
	for range MaxAncestry {
		parents, lineageErr := e.parents(ctx, h.image.Repository, level, seen)
		asked := unseen(parents, known, seen)
		known = nil
		if err := h.ask(ctx, asked); err != nil {
			return nil, err
		}
		if lineageErr != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			h.lineageFailed()
			break
		}
		if len(h.open) == 0 || len(parents) == 0 {
			break
		}
		level = parents
	}
	h.settle()
	return h.results, nil
}

// parents returns the indexes that list a digest of level and were not seen
// before. With an error it returns those that were found.
func (e *Engine) parents(ctx context.Context, repository oci.Repository, level []oci.Digest, seen map[oci.Digest]bool) ([]oci.Digest, error) {
	var parents []oci.Digest
	var failed error
	for _, child := range level {
		listing, err := e.Lineage.Listing(ctx, repository, ChildOf, child)
		if err != nil {
			failed = err
			continue
		}
		for _, parent := range listing {
			if len(parents) == MaxParents {
				return parents, failed
			}
			if !seen[parent] && !parent.IsZero() {
				seen[parent] = true
				parents = append(parents, parent)
			}
		}
	}
	return parents, failed
}

// unseen puts those of known that were not seen before first in parents, at most
// [MaxParents] altogether.
func unseen(parents, known []oci.Digest, seen map[oci.Digest]bool) []oci.Digest {
	var all []oci.Digest
	for _, d := range known {
		if len(all) < MaxParents && !seen[d] && !d.IsZero() {
			seen[d] = true
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return parents
	}
	all = append(all, parents...)
	return all[:min(len(all), MaxParents)]
}

// ask takes over what parents have, in their order, a few at a time, until
// nothing is open.
func (h *heir) ask(ctx context.Context, parents []oci.Digest) error {
	for some := range slices.Chunk(parents, parentsAtOnce) {
		if len(h.open) == 0 {
			return nil
		}
		answers := make([][]verify.Result, len(some))
		var group errgroup.Group
		for i, parent := range some {
			group.Go(func() (err error) {
				// Recovered here, since a panic of another goroutine ends the
				// process.
				defer func() {
					if p := recover(); p != nil {
						err = fmt.Errorf("results of %s@%s: panic: %v", h.image.Repository, parent, p)
					}
				}()
				q := verify.Query{Repository: h.image.Repository, Digest: parent, Needed: integrations(h.open), KnownOnly: h.knownOnly}
				answers[i], err = h.engine.results(ctx, q, h.open)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		asked := h.open
		for i, parent := range some {
			for j, s := range asked {
				h.take(s, parent, answers[i][j])
			}
		}
	}
	return nil
}

// take uses an ancestor's result for one signer.
func (h *heir) take(s signer, parent oci.Digest, r verify.Result) {
	at := slices.IndexFunc(h.open, func(o signer) bool { return o.name == s.name })
	if at < 0 {
		return // An ancestor before this one was Verified.
	}
	switch r.Status {
	case verify.Verified:
		r.InheritedFrom = parent
		h.set(r)
		h.open = append(slices.Clone(h.open[:at]), h.open[at+1:]...)
	case verify.Unsigned, verify.Untrusted:
	default:
		if h.unavailable == nil {
			h.unavailable, h.lastVerified = map[string]verify.Result{}, map[string]time.Time{}
		}
		if _, known := h.unavailable[s.name]; !known {
			h.unavailable[s.name] = r
		}
		if r.LastVerifiedAt.After(h.lastVerified[s.name]) {
			h.lastVerified[s.name] = r.LastVerifiedAt
		}
	}
}

// lineageFailed makes what is open unknown.
func (h *heir) lineageFailed() {
	for _, s := range h.open {
		if r := result(h.results, s.name); r.Status != verify.Unavailable {
			r.Status, r.Reason, r.Signer, r.Issuer, r.LogIndex = verify.Unavailable, ReasonLineageUnavailable, "", "", nil
			r.Message = "it could not be read which indexes list the image"
			h.set(r)
		}
	}
}

// settle makes Unavailable what an ancestor that could not be asked might have
// Verified.
func (h *heir) settle() {
	for _, s := range h.open {
		above, found := h.unavailable[s.name]
		if !found {
			continue
		}
		r := result(h.results, s.name)
		if r.Status != verify.Unavailable {
			above.Cached = above.Cached && r.Cached
			above.LastVerifiedAt, r = r.LastVerifiedAt, above
		}
		if last := h.lastVerified[s.name]; last.After(r.LastVerifiedAt) {
			r.LastVerifiedAt = last
		}
		h.set(r)
	}
}

// set replaces a result in a copy: results are shared.
func (h *heir) set(r verify.Result) {
	h.results = slices.Clone(h.results)
	for i := range h.results {
		if h.results[i].Integration == r.Integration {
			h.results[i] = r
		}
	}
}
