package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"vouchsafe/oci"
)

// Contents reads what a manifest lists; the client of the registries is one.
// Errors are [oci.Error] values or wrap ctx's own.
type Contents interface {
	// GetManifest returns the manifest that ref names by digest, checked against
	// it.
	GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error)
	// SmallBlob returns a whole blob of at most limit bytes, checked against its
	// digest.
	SmallBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, limit int64) ([]byte, error)
}

const (
	// rememberedArtifacts is how many answers an Artifacts keeps.
	rememberedArtifacts = 10_000
	// maxArtifactConfig is more than the config of a signature ever has.
	maxArtifactConfig = 64 << 10
	// artifactTime bounds the reading of one artifact, its wait included. It is
	// less than a request has, which is then answered with what is known.
	artifactTime = 10 * time.Second
	// artifactMemory bounds the layers that are in memory, by declared size:
	// whoever may push can make an artifact of [oci.MaxArtifactBytes].
	artifactMemory = 2 * oci.MaxArtifactBytes
)

// Artifacts tells signature artifacts from images that only look like one. It is
// safe for concurrent use. It remembers what it read: content does not change.
type Artifacts struct {
	contents Contents
	known    *lru.Cache[artifact, bool]
	// memory is taken last, by those who have their registry's turn.
	memory *semaphore.Weighted

	mu    sync.Mutex // guards turns
	turns map[string]*turn
}

// turn lets one artifact of a registry be read at a time, so that a registry
// that hangs keeps no other's waiting.
type turn struct {
	reading chan struct{}
	// users have it or wait for it, under Artifacts.mu; without any it is gone.
	users int
}

type artifact struct {
	repository oci.Repository
	digest     oci.Digest
}

// NewArtifacts returns an Artifacts that reads from contents.
func NewArtifacts(contents Contents) *Artifacts {
	known, err := lru.New[artifact, bool](rememberedArtifacts)
	if err != nil {
		panic(err) // Only for a size below one.
	}
	return &Artifacts{
		contents: contents, known: known,
		memory: semaphore.NewWeighted(artifactMemory), turns: map[string]*turn{},
	}
}

// Exempt reports whether image is a signature, attestation or SBOM by its
// content: by its manifest where that settles it, else by reading all that it
// lists, within 10 s: see [oci.IsInertLayer] and [oci.IsInertConfig]. An error means that it was not found out; the
// image is then not exempt.
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
	running, cancel := context.WithTimeout(ctx, artifactTime)
	defer cancel()
	inert, err := a.read(running, name, image)
	if err == nil || missing(err) {
		return inert, nil
	}
	if ctx.Err() == nil && running.Err() != nil {
		// Our own time is over, not the caller's: no errors.Is behind us may
		// take it for that.
		err = &oci.Error{Code: oci.CodeTimeout, Message: "not read in time", Err: errors.New(err.Error())}
	}
	return false, fmt.Errorf("read artifact %s: %w", image.Reference, err)
}

// read waits for its turn and for memory, reads and remembers.
func (a *Artifacts) read(ctx context.Context, name artifact, image oci.Image) (bool, error) {
	end, err := a.begin(ctx, name.repository.Registry)
	if err != nil {
		return false, err
	}
	defer end()
	if inert, ok := a.known.Get(name); ok {
		return inert, nil
	}
	largest := int64(oci.MaxManifestBytes)
	if image.Manifest.Kind == oci.KindIndex {
		largest = oci.MaxArtifactBytes
	}
	for _, layer := range image.Manifest.Layers {
		largest = max(largest, layer.Size)
	}
	if err := a.memory.Acquire(ctx, largest); err != nil {
		return false, err
	}
	defer a.memory.Release(largest)
	inert, err := a.inert(ctx, image)
	if err != nil {
		return false, err
	}
	a.known.Add(name, inert)
	return inert, nil
}

// begin waits until no other artifact of registry is being read; end must be
// called. The error is ctx's own.
func (a *Artifacts) begin(ctx context.Context, registry string) (end func(), err error) {
	a.mu.Lock()
	one := a.turns[registry]
	if one == nil {
		one = &turn{reading: make(chan struct{}, 1)}
		a.turns[registry] = one
	}
	one.users++
	a.mu.Unlock()
	leave := func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(a.turns, registry)
		}
	}
	select {
	case one.reading <- struct{}{}:
		return func() { <-one.reading; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// inert reads what image lists.
func (a *Artifacts) inert(ctx context.Context, image oci.Image) (bool, error) {
	if image.Manifest.Kind == oci.KindIndex {
		return a.inertIndex(ctx, image)
	}
	repository, config := image.Reference.Repository, image.Manifest.Config
	if config.Size > maxArtifactConfig {
		return false, nil
	}
	content, err := a.contents.SmallBlob(ctx, repository, config.Digest, config.Size)
	if err != nil {
		return false, err
	}
	if !oci.IsInertConfig(content, image.Manifest.Layers) {
		return false, nil
	}
	for _, layer := range image.Manifest.Layers {
		// The declared size is the limit: the sum of all was checked against it.
		content, err := a.contents.SmallBlob(ctx, repository, layer.Digest, layer.Size)
		if err != nil {
			return false, err
		}
		if !oci.IsInertLayer(layer.MediaType, content) {
			return false, nil
		}
	}
	return true, nil
}

// inertIndex demands that each entry is an artifact. A node that holds an entry
// already does not ask for it again, so it must be judged here: one that is not
// there could be on a node by another name.
func (a *Artifacts) inertIndex(ctx context.Context, index oci.Image) (bool, error) {
	for _, entry := range index.Manifest.Manifests {
		ref := oci.Reference{Repository: index.Reference.Repository, Digest: entry.Digest}
		raw, err := a.contents.GetManifest(ctx, ref)
		if err != nil {
			return false, err
		}
		entryImage := oci.Image{Reference: ref, Bytes: raw.Bytes}
		// What cannot be read is a mistake in the artifact, see missing.
		if entryImage.Manifest, err = oci.ParseManifest(raw.Bytes, raw.ContentType); err != nil {
			return false, err
		}
		if entryImage.Manifest.Kind != oci.KindImage || !entryImage.Manifest.IsArtifact(len(raw.Bytes)) {
			return false, nil
		}
		if !entryImage.Manifest.MustBeRead() {
			continue
		}
		if inert, err := a.inert(ctx, entryImage); !inert || err != nil {
			return false, err
		}
	}
	return true, nil
}

// missing reports whether err says that what an artifact lists is not there. A
// true signature is whole; what may still come is looked at anew.
func missing(err error) bool {
	switch oci.CodeOf(err) {
	case oci.CodeBlobUnknown, oci.CodeManifestUnknown, oci.CodeNameUnknown, oci.CodeManifestInvalid:
		return true
	default:
		return false
	}
}
