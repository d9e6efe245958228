package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"vouchsafe/oci"
)

// Blob is one blob, or the part of it that was asked for. Close must be called.
type Blob struct {
	// Body fails with an error instead of io.EOF when the content is shorter,
	// longer or other than announced; a whole blob is checked against its digest.
	// The last bytes of a whole blob, at most 32 KiB, are given only when the
	// digest is right.
	Body io.ReadCloser
	// Size is how many bytes Body has, -1 when the upstream did not say.
	Size int64
	// ContentRange is set when Body is a part of the blob.
	ContentRange string
}

// OpenBlob opens a blob, or the part that byteRange asks for (the value of a
// Range header with one range; empty means the whole, and so does what is no
// single range). A range that the upstream ignores gives the whole blob.
func (c *Client) OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*Blob, error) {
	part := parseRange(byteRange)
	op, err := blobOperation(http.MethodGet, repository, digest)
	if err != nil {
		return nil, err
	}
	op.byteRange = part.String()
	a, err := c.ask(ctx, op)
	if err != nil {
		return nil, err
	}
	switch {
	case a.status == http.StatusOK:
		return a.wholeBlob(op.what, digest), nil
	case a.status == http.StatusPartialContent && part.asked:
		return a.partBlob(op.what, digest, part)
	case a.status == http.StatusRequestedRangeNotSatisfiable && part.asked:
		a.drain()
		return nil, &oci.Error{Code: oci.CodeRangeInvalid, Message: op.what + ": the range is outside of the blob"}
	}
	return nil, statusFailure(op.what, oci.CodeBlobUnknown, a)
}

// wholeBlob hands on a 200.
func (a *answer) wholeBlob(what string, digest oci.Digest) *Blob {
	return &Blob{Body: newCheckedBody(what, a, digest, a.length), Size: a.length}
}

// partBlob hands on a 206, when it is what was asked for.
func (a *answer) partBlob(what string, digest oci.Digest, asked byteRange) (*Blob, error) {
	got, ok := parseContentRange(a.header.Get("Content-Range"))
	if !ok || !got.answers(asked) || a.length >= 0 && a.length != got.length() {
		_ = a.Close()
		return nil, trouble(reasonRange, what, "the registry sent another range than was asked for")
	}
	blob := &Blob{Size: got.length(), ContentRange: got.String()}
	if got.first == 0 && got.length() == got.size {
		blob.Body = newCheckedBody(what, a, digest, got.size)
	} else {
		blob.Body = &exactBody{what: what, source: a, left: got.length()}
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
		return nil, trouble(reasonDigest, op.what, "the registry sent other bytes")
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
