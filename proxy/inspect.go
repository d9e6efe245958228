package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"vouchsafe/oci"
)

const (
	// keptBytes is how much of an inspected blob is kept to be sent, and how much
	// is read ahead of one that is said to be too large for a manifest. A smaller
	// one is opened again when it is larger than this, so that a slow client holds
	// no more.
	keptBytes = 32 << 10
	// sniffBytes decides, mostly, whether a blob can be JSON at all.
	sniffBytes = 512
)

// sight is what a look at a blob has found.
type sight struct {
	// content is the beginning of the blob.
	content []byte
	// whole is true when content is all of it: the end of a body is given only
	// when its digest is right.
	whole bool
	// size is that of the blob, -1 when not known; only of a whole it is not what
	// the registry says.
	size int64
	// manifest is what was decided about a blob that is a manifest, else nil.
	manifest *judgement
	// scan is set for JSON that is too large to be read whole. What is sent
	// of it must go on through it.
	scan *keyScan
	// release gives back the memory of content. More than once is as once.
	release func()
}

// inspect looks whether a vouched blob is a manifest, and returns the body to go
// on with: that of blob with what was read of it in front again, or that of the
// same blob opened anew. What the registry says of its size is taken for true:
// who signed for the blob has seen it.
func (h *Handler) inspect(ctx context.Context, x *exchange, blob *oci.Blob) (sight, io.ReadCloser, error) {
	if totalSize(blob) > oci.MaxManifestBytes {
		return sight{release: func() {}}, blob.Body, nil
	}
	if blob.ContentRange != "" {
		// A part does not show what it is a part of.
		whole, err := h.openWhole(ctx, x)
		if err != nil {
			return sight{}, nil, err
		}
		defer func() { _ = whole.Body.Close() }() // read as far as it matters
		seen, err := h.look(ctx, x, whole, false)
		if err == nil && seen.manifest == nil {
			seen.release()
		}
		seen.content = nil
		return seen, blob.Body, err
	}
	seen, err := h.look(ctx, x, blob, false)
	if err != nil {
		return sight{}, nil, err
	}
	body, err := h.goOn(ctx, x, blob, seen)
	if err != nil {
		seen.release()
	}
	return seen, body, err
}

// look reads a blob from its beginning as far as it takes to tell what it is.
// Registries serve manifests as blobs too, and a node that got one that way does
// not ask for it again: so it needs a decision like any manifest, and look fails
// unless it has one that serves. JSON that is larger than a manifest may be has
// none: with scanned it must not look like a manifest either.
func (h *Handler) look(ctx context.Context, x *exchange, blob *oci.Blob, scanned bool) (sight, error) {
	seen := sight{size: blob.Size, release: func() {}}
	var err error
	if seen.content, err = readMore(nil, blob.Body, sniffBytes); err != nil {
		return sight{}, err
	}
	if isPlain(seen.content) {
		return seen, nil
	}
	ahead := int64(oci.MaxManifestBytes)
	switch {
	case blob.Size > ahead:
		// Not for this body to be whole and be a manifest: it would break.
		ahead = keptBytes
	case blob.Size >= 0:
		ahead = blob.Size
	}
	if ahead > keptBytes { // The configs of images, nearly all that comes here, wait for nobody.
		if seen.release, err = h.holding.blob(ctx, x.ask.ref.Repository.Registry, ahead); err != nil {
			return sight{}, err
		}
	}
	if seen.content, err = readMore(seen.content, blob.Body, int(ahead)+1); err == nil {
		if seen.whole = int64(len(seen.content)) <= ahead; seen.whole {
			err = h.lookAtWhole(ctx, x, &seen)
		} else {
			err = h.lookAtBeginning(x, blob, &seen, scanned)
		}
	}
	if err != nil {
		seen.release()
		return sight{}, err
	}
	return seen, nil
}

// isPlain reports whether what begins with b is no JSON object, however it is
// encoded.
func isPlain(b []byte) bool {
	var scan keyScan
	scan.see(b)
	return scan.plain
}

// lookAtWhole decides about a blob that is a manifest.
func (h *Handler) lookAtWhole(ctx context.Context, x *exchange, seen *sight) error {
	seen.size = int64(len(seen.content))
	if !mayBeManifest(seen.content) {
		return nil
	}
	manifest, err := oci.ParseManifest(seen.content, "")
	if err != nil {
		return err
	}
	image := oci.Image{Reference: x.ask.ref, Bytes: seen.content, MediaType: manifest.MediaType, Manifest: manifest}
	if len(seen.content) > largeBytes {
		// As any large manifest, but each request has read its own.
		if err := h.keep(x, seen, 2*int64(len(seen.content))); err != nil {
			return err
		}
	}
	seen.manifest = h.judgeImage(x, image)
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	return seen.manifest.hold(ctx)
}

// lookAtBeginning looks at what was read of a blob that is larger than a manifest
// may be.
func (h *Handler) lookAtBeginning(x *exchange, blob *oci.Blob, seen *sight, scanned bool) error {
	if blob.Size >= 0 && blob.Size <= oci.MaxManifestBytes {
		return broken(errTooLong)
	}
	if blob.Size < 0 {
		if err := h.keep(x, seen, int64(len(seen.content))); err != nil {
			return err
		}
	}
	if !scanned {
		return nil
	}
	seen.scan = &keyScan{}
	if seen.scan.see(seen.content) {
		return errLargeManifest()
	}
	return nil
}

// keep moves content from the share of those who look to that of those who wait
// for a client, so that slow clients keep nobody from looking.
func (h *Handler) keep(x *exchange, seen *sight, size int64) error {
	release, err := h.holding.alone(x.ask.ref.Repository.Registry, size)
	if err != nil {
		return err
	}
	seen.release()
	seen.release = release
	return nil
}

var errTooLong = errors.New("it is longer than was announced")

// errLargeManifest refuses what no reader of ours can decide about and others
// may start.
func errLargeManifest() error {
	return &oci.Error{
		Code: oci.CodeManifestInvalid, Reason: "too_large",
		Message: fmt.Sprintf("the blob looks like a manifest, and is larger than the %d bytes that one may have", oci.MaxManifestBytes),
	}
}

// goOn returns the body of a blob that was looked at. A whole that is not small
// is opened again: it has the same digest at its end, or breaks.
func (h *Handler) goOn(ctx context.Context, x *exchange, blob *oci.Blob, seen sight) (io.ReadCloser, error) {
	switch {
	case seen.whole && (seen.manifest != nil || len(seen.content) <= keptBytes):
		return &front{content: seen.content, release: seen.release, rest: http.NoBody}, nil
	case !seen.whole:
		rest := blob.Body
		if seen.scan != nil {
			rest = &scannedBody{ReadCloser: rest, scan: seen.scan}
		}
		return &front{content: seen.content, release: seen.release, rest: rest}, nil
	}
	anew, err := h.openWhole(ctx, x)
	if err != nil {
		return nil, err
	}
	seen.release()
	return anew.Body, nil
}

// openWhole opens the blob that was asked for from its beginning to its end.
func (h *Handler) openWhole(ctx context.Context, x *exchange) (*oci.Blob, error) {
	blob, err := h.blobs.OpenBlob(ctx, x.ask.ref.Repository, x.ask.ref.Digest, "")
	if err == nil && blob.ContentRange != "" {
		_ = blob.Body.Close()
		err = &oci.Error{Code: oci.CodeUpstream, Reason: "bad_range", Message: "the registry answered a part where the whole was asked for"}
	}
	return blob, err
}

// totalSize is the size of the whole blob, -1 when it is not known.
func totalSize(blob *oci.Blob) int64 {
	if blob.ContentRange == "" {
		return blob.Size
	}
	_, total, _ := strings.Cut(blob.ContentRange, "/")
	if size, ok := parseOffset(total); ok {
		return size
	}
	return -1
}
