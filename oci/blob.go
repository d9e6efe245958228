package oci

import "io"

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
