package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vouchsafe/oci"
)

// maxTagsRead is how many tags of a deployed image are asked for the index that
// lists it.
const maxTagsRead = 4

// Resolver reads images; [content.Resolver] is one.
type Resolver interface {
	// Resolve returns the image that ref names, hashed. The error is an [oci.Error]
	// or ctx's own.
	Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error)
}

// readDeployed reads an image that runs and was never asked for here, so that its
// lineage is known: a node may report the manifest of its platform, and what is
// signed is the index. One that the registry has no more is judged all the same.
func (r *Reverifier) readDeployed(ctx context.Context, j *job) error {
	if r.cfg.Resolver == nil || j.mediaType != "" {
		return nil
	}
	image, err := r.resolve(ctx, j.image)
	if err != nil || image.Reference.Digest.IsZero() {
		return err
	}
	if image.Manifest.Kind == oci.KindImage {
		for _, tag := range j.tags[:min(len(j.tags), maxTagsRead)] {
			if _, err := r.resolve(ctx, oci.Reference{Repository: j.image.Repository, Tag: tag}); err != nil {
				return err
			}
		}
	}
	j.mediaType = image.MediaType
	r.memory.readAs(j.entry, image)
	return nil
}

// resolve reads one image and remembers what it lists. One that does not exist, or
// whose registry is not listed, is no error, and is zero.
func (r *Reverifier) resolve(ctx context.Context, ref oci.Reference) (oci.Image, error) {
	image, err := r.cfg.Resolver.Resolve(ctx, ref)
	if absent := new(oci.Error); errors.As(err, &absent) && slices.Contains(absences, absent.Code) {
		return oci.Image{}, nil
	}
	if err != nil {
		return oci.Image{}, fmt.Errorf("read deployed image %s: %w", ref, err)
	}
	if r.memory.cfg.Lineage != nil {
		if err := r.memory.cfg.Lineage.Record(ctx, image); err != nil {
			return oci.Image{}, fmt.Errorf("remember what %s lists: %w", ref, err)
		}
	}
	return image, nil
}

// absences are the codes of what does not exist, or not for this gateway: asking
// again would change nothing.
var absences = []oci.Code{oci.CodeManifestUnknown, oci.CodeNameUnknown, oci.CodeNotListed}

// readAs notes what an image's bytes say.
func (m *Memory) readAs(e *entry, image oci.Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.image.MediaType == "" {
		e.image.MediaType, e.image.Kind = own(image.MediaType), image.Manifest.Kind
	}
}
