package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"vouchsafe/oci"
)

const (
	// keptBytes is how much of an inspected blob is kept to be sent. A larger one
	// is opened again, so that a slow client holds no more than this.
	keptBytes = 32 << 10
	// sniffBytes decides whether a blob can be JSON at all.
	sniffBytes = 512
)

// inspect looks whether a blob is a manifest. Registries serve manifests as blobs
// too, and a node that got one that way does not ask for it again: so it needs a
// decision like any manifest. It returns the body to go on with: that of blob
// with what was read of it in front again, or that of the same blob opened anew.
func (h *Handler) inspect(ctx context.Context, x *exchange, blob *oci.Blob) (io.ReadCloser, error) {
	if totalSize(blob) > oci.MaxManifestBytes {
		return blob.Body, nil
	}
	whole := blob
	if blob.ContentRange != "" {
		// A part does not show what it is a part of.
		var err error
		if whole, err = h.openWhole(ctx, x); err != nil {
			return nil, err
		}
		defer func() { _ = whole.Body.Close() }() // read as far as it matters
	}
	content, manifest, err := h.readIfJSON(ctx, x, whole)
	if err != nil {
		return nil, err
	}
	if manifest {
		if err := h.judgeContent(ctx, x, content); err != nil {
			return nil, err
		}
	}
	switch {
	case whole != blob:
		return blob.Body, nil
	case len(content) <= keptBytes:
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(content), blob.Body), blob.Body}, nil
	}
	anew, err := h.openWhole(ctx, x)
	if err != nil {
		return nil, err
	}
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

// readIfJSON returns what it read of a blob: its beginning or, when that may be
// JSON, all of it up to one byte more than a manifest may have. manifest is true
// when that is a whole that looks like a manifest.
func (h *Handler) readIfJSON(ctx context.Context, x *exchange, blob *oci.Blob) (content []byte, manifest bool, err error) {
	head, err := readUpTo(blob.Body, sniffBytes)
	if err != nil {
		return nil, false, err
	}
	if text := bytes.TrimLeft(head, " \t\r\n"); len(text) > 0 && text[0] != '{' {
		return head, false, nil
	}
	if len(head) < sniffBytes {
		return head, looksLikeManifest(head), nil
	}
	// The configs of images, nearly all that comes here, wait for nobody.
	if size := blob.Size; size < 0 || size > keptBytes {
		if size < 0 {
			size = oci.MaxManifestBytes
		}
		release, err := h.holding.blob(ctx, x.ask.ref.Repository.Registry, size)
		if err != nil {
			return nil, false, err
		}
		defer release()
	}
	rest, err := readUpTo(blob.Body, oci.MaxManifestBytes+1-len(head))
	if err != nil {
		return nil, false, err
	}
	content = append(head, rest...)
	return content, len(content) <= oci.MaxManifestBytes && looksLikeManifest(content), nil
}

// judgeContent decides about a blob that is a manifest.
func (h *Handler) judgeContent(ctx context.Context, x *exchange, content []byte) error {
	manifest, err := oci.ParseManifest(content, "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	image := oci.Image{Reference: x.ask.ref, Bytes: content, MediaType: manifest.MediaType, Manifest: manifest}
	release, err := h.holding.manifest(image)
	if err != nil {
		return err
	}
	defer release()
	return h.judgeImage(x, image).hold(ctx)
}

// looksLikeManifest reports whether a lenient reader could take b for a manifest
// or index: what only the strict one refuses must not pass for something else. A
// field twice counts, since readers differ in what they make of it.
func looksLikeManifest(b []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(b))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	var seen [len(manifestFields)]bool
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return false
		}
		field, _ := name.(string)
		for i, wanted := range manifestFields {
			// As encoding/json compares names: also "layer\u017f" is "layers".
			if !strings.EqualFold(field, wanted) {
				continue
			}
			if seen[i] || pointsAtContent(value) {
				return true
			}
			seen[i] = true
		}
	}
	return false
}

// manifestFields are the fields that make a manifest or an index of an object.
var manifestFields = [...]string{"layers", "manifests", "config"}

// descriptor is as much of a descriptor as matters here. It is small, since a
// blob may list millions.
type descriptor struct{ Digest present }

// present is true for a field that is there, whatever its value.
type present bool

// UnmarshalJSON implements [json.Unmarshaler].
func (p *present) UnmarshalJSON([]byte) error { *p = true; return nil }

// pointsAtContent reports whether value is a descriptor or a list with one. An
// empty list counts: it is what an index of nothing has. Entries of a list that
// are something else do not hide those that are one.
func pointsAtContent(value json.RawMessage) bool {
	if value[0] == '{' {
		var one descriptor
		return json.Unmarshal(value, &one) == nil && bool(one.Digest)
	}
	var list []descriptor
	if err := json.Unmarshal(value, &list); err != nil {
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); !other {
			return false
		}
	}
	return list != nil && (len(list) == 0 || slices.Contains(list, descriptor{true}))
}

// readUpTo reads n bytes, or fewer when there are no more. It gives up on a reader
// that goes on giving nothing, as [stream] does.
func readUpTo(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, 0, min(n, sniffBytes))
	for idle := 0; len(b) < n; {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(n-len(b), cap(b)))
		}
		got, err := r.Read(b[len(b):min(cap(b), n)])
		b = b[:len(b)+got]
		if err == io.EOF { // one that is wrapped is a failure
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		if idle++; got > 0 {
			idle = 0
		} else if idle > 100 {
			return nil, broken(io.ErrNoProgress)
		}
	}
	return b, nil
}

// broken is a body that broke before anything of it was sent.
func broken(err error) error {
	if _, known := errors.AsType[*oci.Error](err); known {
		return err
	}
	return &oci.Error{Code: oci.CodeUpstream, Message: "the registry broke off the blob", Err: err}
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
