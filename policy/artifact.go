package policy

import (
	"context"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"vouchsafe/oci"
)

// Blobs reads what a manifest lists; the client of the registries is one.
type Blobs interface {
	// SmallBlob returns a whole blob of at most limit bytes, checked against its
	// digest. Errors are [oci.Error] values or wrap ctx's own.
	SmallBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, limit int64) ([]byte, error)
}

// rememberedArtifacts is how many answers an Artifacts keeps.
const rememberedArtifacts = 10_000

// Artifacts tells signature artifacts from images that only look like one. It is
// safe for concurrent use. It remembers what it read: content does not change.
type Artifacts struct {
	blobs Blobs
	known *lru.Cache[artifact, bool]
	// reading bounds what is in memory to one blob, so to
	// [oci.MaxArtifactBytes]: whoever may push can make an artifact that large.
	reading chan struct{}
}

type artifact struct {
	repository oci.Repository
	digest     oci.Digest
}

// NewArtifacts returns an Artifacts that reads from blobs.
func NewArtifacts(blobs Blobs) *Artifacts {
	known, err := lru.New[artifact, bool](rememberedArtifacts)
	if err != nil {
		panic(err) // Only for a size below one.
	}
	return &Artifacts{blobs: blobs, known: known, reading: make(chan struct{}, 1)}
}

// Exempt reports whether image is a signature, attestation or SBOM by its
// content: by its manifest where that settles it, else by reading each layer,
// which must be text. An error means that it was not found out; the image is
// then not exempt.
func (a *Artifacts) Exempt(ctx context.Context, image oci.Image) (bool, error) {
	if !image.Manifest.IsArtifact(len(image.Bytes)) {
		return false, nil
	}
	if !image.Manifest.MustBeRead() {
		return true, nil
	}
	if a == nil {
		return false, nil
	}
	name := artifact{image.Reference.Repository, image.Reference.Digest}
	if inert, ok := a.known.Get(name); ok {
		return inert, nil
	}
	select {
	case a.reading <- struct{}{}:
		defer func() { <-a.reading }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	inert, err := a.inert(ctx, image)
	if err != nil {
		return false, fmt.Errorf("read artifact %s: %w", image.Reference, err)
	}
	a.known.Add(name, inert)
	return inert, nil
}

func (a *Artifacts) inert(ctx context.Context, image oci.Image) (bool, error) {
	for _, layer := range image.Manifest.Layers {
		// The declared size is the limit: the sum of all was checked against it.
		content, err := a.blobs.SmallBlob(ctx, image.Reference.Repository, layer.Digest, layer.Size)
		if err != nil {
			return false, err
		}
		if !oci.IsInert(content) {
			return false, nil
		}
	}
	return true, nil
}
