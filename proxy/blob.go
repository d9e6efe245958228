package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"vouchsafe/oci"
)

// errNotVouched is a blob that lost what vouched for it before its first byte.
var errNotVouched = errors.New("nothing vouches for the blob any more")

// serveBlob streams a blob or a part of it (OCI distribution specification 1.1,
// "Pulling blobs").
func (h *Handler) serveBlob(ctx context.Context, x *exchange) error {
	// The time-out is on deciding, opening and looking at the beginning, not on
	// the body, which lives as long as its client takes it.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(h.cfg.Timeout, func() {
		cancel(&oci.Error{Code: oci.CodeTimeout, Message: "the registry did not answer in time"})
	})
	defer timer.Stop()
	judged := h.judgeBlob(x)
	if err := judged.hold(ctx); err != nil {
		return inTime(ctx, err)
	}
	if judged.decision.Vouched {
		if err := h.serveVouched(ctx, x, judged, timer); !errors.Is(err, errNotVouched) {
			return inTime(ctx, err)
		}
	}
	return inTime(ctx, h.serveUnknown(ctx, x, judged, timer))
}

// serveVouched serves a blob that a manifest which is served lists, or one where
// nothing is enforced: HEAD and conditions are answered unseen, parts as parts.
func (h *Handler) serveVouched(ctx context.Context, x *exchange, judged *judgement, timer *time.Timer) error {
	etag := describe(x)
	x.Header().Set("Accept-Ranges", "bytes")
	if notModified(x.r, etag) {
		x.WriteHeader(http.StatusNotModified)
		return nil
	}
	if x.r.Method == http.MethodHead {
		return h.headBlob(ctx, x, judged)
	}
	part, partial := requestedPart(x.r.Header, etag)
	blob, err := h.blobs.OpenBlob(ctx, x.ask.ref.Repository, x.ask.ref.Digest, part.String())
	if err != nil {
		return err
	}
	defer func() { _ = blob.Body.Close() }() // all that Read had to say was said
	status, err := announce(x, blob, part, partial)
	if err != nil {
		return err
	}
	if !timer.Reset(h.cfg.Timeout) { // to look at the blob has its own time
		return context.Cause(ctx)
	}
	seen, body, err := h.inspect(ctx, x, blob)
	if err != nil {
		return err
	}
	defer seen.release()
	defer func() { _ = body.Close() }() // as above
	if err := holdBoth(ctx, judged, seen.manifest); err != nil {
		return err
	}
	if !judged.decision.Vouched {
		return errNotVouched
	}
	if !timer.Stop() {
		return context.Cause(ctx)
	}
	x.WriteHeader(status)
	return stream(x, body)
}

// serveUnknown serves a blob for which nothing vouches: it may be anything, also
// a manifest that nobody has decided about. So what the registry says of it does
// not count, and nobody is told anything of it unseen: parts and conditions are
// answered with the whole (RFC 9110, section 14.2).
func (h *Handler) serveUnknown(ctx context.Context, x *exchange, judged *judgement, timer *time.Timer) error {
	for _, name := range contentHeaders {
		x.Header().Del(name)
	}
	describe(x)
	blob, err := h.openWhole(ctx, x)
	if err != nil {
		return err
	}
	defer func() { _ = blob.Body.Close() }() // all that Read had to say was said
	if !timer.Reset(h.cfg.Timeout) {         // to look at the blob has its own time
		return context.Cause(ctx)
	}
	seen, err := h.look(ctx, x, blob, true)
	if err != nil {
		return err
	}
	defer seen.release()
	blob.Size = seen.size
	if x.r.Method == http.MethodHead {
		setLength(x, blob.Size)
		if err := holdBoth(ctx, judged, seen.manifest); err != nil {
			return err
		}
		x.WriteHeader(http.StatusOK)
		return nil
	}
	status, err := announce(x, blob, span{}, false)
	if err != nil {
		return err
	}
	body, err := h.goOn(ctx, x, blob, seen)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // as above
	if err := holdBoth(ctx, judged, seen.manifest); err != nil {
		return err
	}
	if !timer.Stop() {
		return context.Cause(ctx)
	}
	x.WriteHeader(status)
	return stream(x, body)
}

// describe sets the headers that all blobs have and returns the entity tag.
func describe(x *exchange) (etag string) {
	etag = `"` + x.ask.ref.Digest.String() + `"`
	x.Header().Set("Docker-Content-Digest", x.ask.ref.Digest.String())
	x.Header().Set("Etag", etag)
	x.Header().Set("Content-Type", "application/octet-stream")
	return etag
}

func setLength(x *exchange, size int64) {
	if size >= 0 {
		x.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
}

// inTime tells the end of our own time from other errors: to those below us it
// looks like a cancelled request.
func inTime(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if slow, ok := errors.AsType[*oci.Error](context.Cause(ctx)); ok {
		return slow
	}
	return err
}

func (h *Handler) headBlob(ctx context.Context, x *exchange, judged *judgement) error {
	size, err := h.blobs.HeadBlob(ctx, x.ask.ref.Repository, x.ask.ref.Digest)
	if err != nil {
		return err
	}
	setLength(x, size)
	if err := judged.hold(ctx); err != nil {
		return err
	}
	if !judged.decision.Vouched {
		return errNotVouched
	}
	x.WriteHeader(http.StatusOK)
	return nil
}

// announce sets the headers of a body and returns its status. A part that is not
// the one asked for is refused: a client would put it in the wrong place.
func announce(x *exchange, blob *oci.Blob, part span, partial bool) (int, error) {
	status, size := http.StatusOK, blob.Size
	if blob.ContentRange != "" {
		length, ok := part.length(blob.ContentRange)
		if !partial || !ok || size >= 0 && size != length {
			return 0, &oci.Error{
				Code: oci.CodeUpstream, Reason: "bad_range", Message: "the registry answered another part than was asked for",
				Err: fmt.Errorf("Content-Range %.80q, size %d, asked %q", blob.ContentRange, size, part),
			}
		}
		x.Header().Set("Content-Range", blob.ContentRange)
		status, size = http.StatusPartialContent, length
	}
	if size < 0 && !x.r.ProtoAtLeast(1, 1) {
		// Without a length and without chunks a broken body would look whole.
		return 0, &oci.Error{Code: oci.CodeUpstream, Reason: "no_length", Message: "the registry did not say how long the blob is"}
	}
	setLength(x, size)
	return status, nil
}
