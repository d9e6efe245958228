package content

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vouchsafe/oci"
)

// Resolve returns the image that ref names: by digest when it has one, from
// memory if it is there; else by tag. The first resolution of a tag is one GET
// by tag; once its TTL is over a HEAD follows, whose digest selects among the
// bytes already hashed here, else a GET by that digest. When the registry is in
// trouble, the last resolution may serve instead, with its age.
//
// The digest of the image has the algorithm that ref names, sha256 for a tag.
// Errors are [oci.Error] values, among them CodeManifestInvalid from
// [oci.ParseManifest], or wrap ctx's error.
func (r *Resolver) Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error) {
	if ref.Digest.IsZero() && ref.Tag == "" {
		return oci.Image{}, &oci.Error{Code: oci.CodeTagInvalid, Message: "neither a tag nor a digest was named"}
	}
	if digest, m, ok := r.remembered(ref); ok {
		r.cfg.Observe("hit")
		return image(ref, digest, m), nil
	}
	if err := ctx.Err(); err != nil {
		return oci.Image{}, fmt.Errorf("resolve %s: %w", ref, err)
	}
	if known, ok := r.troubledNow(ref); ok {
		return r.serveStale(ctx, ref, known, nil), nil
	}
	digest, m, shared, err := r.resolve(ctx, ref)
	if err != nil && (errors.Is(err, errImpatient) || trouble(err)) {
		if known, ok := r.lastKnown(ref); ok {
			return r.serveStale(ctx, ref, known, err), nil
		}
	}
	if errors.Is(err, errImpatient) {
		// What was at hand has left memory while it was waited for.
		digest, m, shared, err = r.fly(ctx, ref, 0)
	}
	if shared {
		r.cfg.Observe("shared")
	} else {
		r.cfg.Observe("miss")
	}
	if err != nil {
		return oci.Image{}, err
	}
	return image(ref, digest, m), nil
}

// remembered answers from memory alone.
func (r *Resolver) remembered(ref oci.Reference) (oci.Digest, *manifest, bool) {
	digest := ref.Digest
	if digest.IsZero() {
		last, ok := r.tags.get(label{ref.Repository, ref.Tag})
		if !ok || !r.fresh(ref.Repository, last) {
			return oci.Digest{}, nil, false
		}
		digest = last.digest
	}
	m, ok := r.store.get(place{ref.Repository, digest})
	return digest, m, ok
}

func (r *Resolver) fresh(repository oci.Repository, last resolution) bool {
	return r.cfg.Now().Sub(last.at) < r.cfg.TagTTL(repository.Registry)
}

// resolve joins or starts the flight for ref, with little patience when another
// answer is at hand.
func (r *Resolver) resolve(ctx context.Context, ref oci.Reference) (oci.Digest, *manifest, bool, error) {
	var patience time.Duration
	if _, ok := r.lastKnown(ref); ok {
		patience = staleWait
	}
	return r.fly(ctx, ref, patience)
}

func (r *Resolver) fly(ctx context.Context, ref oci.Reference, patience time.Duration) (oci.Digest, *manifest, bool, error) {
	if !ref.Digest.IsZero() {
		return r.flights.do(ctx, flightKey{repository: ref.Repository, digest: ref.Digest}, patience,
			func(ctx context.Context) (oci.Digest, *manifest, error) {
				return r.fetchDigest(ctx, place{ref.Repository, ref.Digest})
			})
	}
	return r.flights.do(ctx, flightKey{repository: ref.Repository, tag: ref.Tag}, patience,
		func(ctx context.Context) (oci.Digest, *manifest, error) {
			return r.resolveTag(ctx, label{ref.Repository, ref.Tag})
		})
}

// image is m under the name by which it was asked for.
func image(ref oci.Reference, digest oci.Digest, m *manifest) oci.Image {
	return oci.Image{
		Reference: ref.WithDigest(digest),
		MediaType: m.parsed.MediaType,
		Bytes:     m.bytes,
		Manifest:  m.parsed,
	}
}
