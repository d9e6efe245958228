package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"vouchsafe/oci"
)

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
	header := x.Header()
	etag := `"` + x.ask.ref.Digest.String() + `"`
	header.Set("Docker-Content-Digest", x.ask.ref.Digest.String())
	header.Set("Etag", etag)
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Type", "application/octet-stream")
	if notModified(x.r, etag) {
		x.WriteHeader(http.StatusNotModified)
		return nil
	}
	if x.r.Method == http.MethodHead {
		return inTime(ctx, h.headBlob(ctx, x, judged))
	}
	part, partial := requestedPart(x.r.Header, etag)
	blob, err := h.blobs.OpenBlob(ctx, x.ask.ref.Repository, x.ask.ref.Digest, part.String())
	if err != nil {
		return inTime(ctx, err)
	}
	opened := blob.Body
	defer func() { _ = opened.Close() }() // all that Read had to say was said
	status, err := announce(x, blob, part, partial)
	if err != nil {
		return err
	}
	// Looking at the blob has its own time, and the decision must still hold when
	// that is over.
	if !timer.Reset(h.cfg.Timeout) {
		return inTime(ctx, context.Cause(ctx))
	}
	body, err := h.inspect(ctx, x, blob)
	if err != nil {
		return inTime(ctx, err)
	}
	defer func() { _ = body.Close() }() // as above
	if err := judged.hold(ctx); err != nil {
		return inTime(ctx, err)
	}
	if !timer.Stop() {
		return inTime(ctx, context.Cause(ctx))
	}
	x.WriteHeader(status)
	return stream(x, body)
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
	if size >= 0 {
		x.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	if err := judged.hold(ctx); err != nil {
		return err
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
	switch {
	case size >= 0:
		x.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	case !x.r.ProtoAtLeast(1, 1):
		// Without a length and without chunks a broken body would look whole.
		return 0, &oci.Error{Code: oci.CodeUpstream, Reason: "no_length", Message: "the registry did not say how long the blob is"}
	}
	return status, nil
}

const bufferBytes = 64 << 10

var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// stream copies body, always one byte behind: a body that turns out wrong at its
// end must not have been sent whole, since a client that has every announced
// byte never learns of the error.
func stream(w io.Writer, body io.Reader) error {
	buffer := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buffer)
	held := 0 // buffer[:held] has been read and not been written
	for idle := 0; ; {
		n, err := body.Read(buffer[held:])
		have := held + n
		if err == io.EOF { // one that is wrapped is a failure
			return write(w, buffer[:have])
		}
		if err != nil {
			return fmt.Errorf("read blob: %w", err)
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle > 100 {
			return fmt.Errorf("read blob: %w", io.ErrNoProgress)
		}
		if have < 2 {
			held = have
			continue
		}
		if err := write(w, buffer[:have-1]); err != nil {
			return err
		}
		buffer[0], held = buffer[have-1], 1
	}
}

func write(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	return nil
}
