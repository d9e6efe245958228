package upstream

import (
	"context"
	"fmt"
	"net/http"

	"vouchsafe/oci"
)

// OpenBlob opens a blob, or the part that byteRange asks for (the value of a
// Range header with one range; empty means the whole, and so does what is no
// single range). A range that the upstream ignores gives the whole blob. What
// breaks off or stalls is asked for again from there; the digest is over the
// whole, wherever its bytes came from.
func (c *Client) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error) {
	part := parseRange(byteRange)
	op, err := blobOperation(http.MethodGet, repository, digest)
	if err != nil {
		return nil, err
	}
	op.byteRange = part.String()
	ctx, cancel := context.WithCancel(ctx)
	a, err := c.ask(ctx, op)
	if err != nil {
		cancel()
		return nil, err
	}
	body := &resumedBody{client: c, op: op, ctx: ctx, cancel: cancel, current: a}
	body.op.ifRange = strongTag(a.header)
	switch {
	case a.status == http.StatusOK:
		return body.wholeBlob(digest), nil
	case a.status == http.StatusPartialContent && part.asked:
		return body.partBlob(digest, part)
	}
	defer cancel()
	if a.status == http.StatusRequestedRangeNotSatisfiable && part.asked {
		a.drain()
		return nil, &oci.Error{Code: oci.CodeRangeInvalid, Message: op.what + ": the range is outside of the blob"}
	}
	return nil, statusFailure(op.what, oci.CodeBlobUnknown, a)
}

// wholeBlob hands on a 200.
func (b *resumedBody) wholeBlob(digest oci.Digest) *oci.Blob {
	a := b.current
	b.whole, b.end, b.size = true, a.length, a.length
	return &oci.Blob{Body: newCheckedBody(b, digest, a.length), Size: a.length}
}

// partBlob hands on a 206, when it is what was asked for.
func (b *resumedBody) partBlob(digest oci.Digest, asked byteRange) (*oci.Blob, error) {
	a := b.current
	got, ok := parseContentRange(a.header.Get("Content-Range"))
	if !ok || !got.answers(asked) || a.length >= 0 && a.length != got.length() {
		_ = b.Close()
		return nil, trouble(reasonRange, b.op.what, "the registry sent another range than was asked for")
	}
	b.at, b.end, b.size = got.first, got.last+1, got.size
	blob := &oci.Blob{Size: got.length(), ContentRange: got.String()}
	if b.whole = got.first == 0 && got.length() == got.size; b.whole {
		blob.Body = newCheckedBody(b, digest, got.size)
	} else {
		blob.Body = &exactBody{what: b.op.what, source: b, left: got.length()}
	}
	return blob, nil
}

// HeadBlob returns the size of a blob, -1 when the upstream did not say.
func (c *Client) HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error) {
	op, err := blobOperation(http.MethodHead, repository, digest)
	if err != nil {
		return 0, err
	}
	op.total = smallBodyTime
	a, err := c.ask(ctx, op)
	if err != nil {
		return 0, err
	}
	if a.status != http.StatusOK {
		return 0, statusFailure(op.what, oci.CodeBlobUnknown, a)
	}
	a.drain()
	return a.length, nil
}

// SmallBlob returns a whole blob of at most limit bytes, checked against digest.
// A larger one is CodeUpstream with Reason "too_large".
func (c *Client) SmallBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, limit int64) ([]byte, error) {
	op, err := blobOperation(http.MethodGet, repository, digest)
	if err != nil {
		return nil, err
	}
	op.total = smallBodyTime
	a, err := c.ask(ctx, op)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, statusFailure(op.what, oci.CodeBlobUnknown, a)
	}
	defer func() { _ = a.Close() }()
	b, err := a.whole(limit, trouble(reasonTooLarge, op.what, "more than %d bytes", limit))
	if err != nil {
		return nil, err
	}
	if !digest.Matches(b) {
		return nil, a.mismatch(op.what, "the registry sent other bytes")
	}
	return b, nil
}

func blobOperation(method string, repository oci.Repository, digest oci.Digest) (operation, error) {
	if digest.IsZero() {
		return operation{}, &oci.Error{Code: oci.CodeDigestInvalid, Message: "blob without digest"}
	}
	return operation{
		repository: repository, what: fmt.Sprintf("blob %s@%s", repository, digest),
		method: method, path: "blobs/" + digest.String(), accept: "*/*",
	}, nil
}
