package content

import (
	"context"
	"fmt"

	"vouchsafe/oci"
)

// fetchDigest is the flight of a digest. It looks into memory once more: a
// flight may have ended between the caller's look and this one's start.
func (r *Resolver) fetchDigest(ctx context.Context, at place) (oci.Digest, *manifest, error) {
	if m, ok := r.store.get(at); ok {
		return at.digest, m, nil
	}
	raw, err := r.upstream.GetManifest(ctx, oci.Reference{Repository: at.repository, Digest: at.digest})
	if err != nil {
		return oci.Digest{}, nil, err
	}
	// Upstream has checked this already. It is checked where it is relied upon,
	// since all that follows stands on it.
	if !at.digest.Matches(raw.Bytes) {
		return oci.Digest{}, nil, &oci.Error{
			Code: oci.CodeUpstream, Reason: "digest_mismatch",
			Message: fmt.Sprintf("the registry answered other content than %s", at.digest.Short()),
		}
	}
	m, err := parse(raw)
	if err != nil {
		return oci.Digest{}, nil, err
	}
	r.store.put(at, m)
	return at.digest, m, nil
}

// resolveTag is the flight of a tag.
func (r *Resolver) resolveTag(ctx context.Context, l label) (oci.Digest, *manifest, error) {
	last, known := r.tags.get(l)
	if !known {
		return r.fetchTag(ctx, l)
	}
	if r.fresh(l.repository, last) {
		return r.selectDigest(ctx, l, last.digest)
	}
	asked := r.cfg.Now()
	claimed, err := r.upstream.HeadManifest(ctx, oci.Reference{Repository: l.repository, Tag: l.tag})
	if err != nil {
		r.unconfirmed(l, last, err)
		return oci.Digest{}, nil, err
	}
	// A tag's digest is always a sha256 here: signatures are looked for under
	// it, and an upstream must not choose where by claiming a sha512.
	if claimed.Algorithm() != "sha256" {
		return r.fetchTag(ctx, l)
	}
	digest, m, err := r.selectDigest(ctx, l, claimed)
	switch {
	case err != nil:
		r.unconfirmed(l, last, err)
	case digest == claimed:
		r.tags.put(l, resolution{digest: digest, at: asked})
	}
	return digest, m, err
}

// selectDigest returns the bytes that digest names, which a tag was seen or is
// claimed to name. When the registry then has nothing under that digest, the
// tag itself is asked: the digest was out of date or never true.
func (r *Resolver) selectDigest(ctx context.Context, l label, digest oci.Digest) (oci.Digest, *manifest, error) {
	if m, ok := r.store.get(place{l.repository, digest}); ok {
		return digest, m, nil
	}
	got, m, _, err := r.resolve(ctx, oci.Reference{Repository: l.repository, Digest: digest})
	if absent(err) {
		return r.fetchTag(ctx, l)
	}
	return got, m, err
}

// fetchTag is one GET by tag. The bytes say which digest the tag names; they are
// kept under it, so that a GET by digest after a HEAD by tag asks nobody.
func (r *Resolver) fetchTag(ctx context.Context, l label) (oci.Digest, *manifest, error) {
	asked := r.cfg.Now()
	raw, err := r.upstream.GetManifest(ctx, oci.Reference{Repository: l.repository, Tag: l.tag})
	if err != nil {
		if last, known := r.tags.get(l); known {
			r.unconfirmed(l, last, err)
		}
		return oci.Digest{}, nil, err
	}
	m, err := parse(raw)
	if err != nil {
		return oci.Digest{}, nil, err
	}
	digest := oci.SHA256(raw.Bytes)
	r.store.put(place{l.repository, digest}, m)
	r.tags.put(l, resolution{digest: digest, at: asked})
	return digest, m, nil
}

// absent reports whether an upstream said that there is nothing.
func absent(err error) bool {
	if err == nil {
		return false
	}
	code := oci.CodeOf(err)
	return code == oci.CodeManifestUnknown || code == oci.CodeNameUnknown
}
