package proxy

import (
	"errors"
	"io"
	"slices"

	"vouchsafe/oci"
)

// front is a body with what was read of it in front again. Once that has been
// read a second time its memory is given back.
type front struct {
	content []byte
	release func()
	rest    io.ReadCloser
}

// Read implements [io.Reader].
func (f *front) Read(p []byte) (int, error) {
	if len(f.content) == 0 {
		return f.rest.Read(p)
	}
	n := copy(p, f.content)
	if f.content = f.content[n:]; len(f.content) == 0 {
		f.content = nil
		f.release()
	}
	return n, nil
}

// Close implements [io.Closer].
func (f *front) Close() error { return f.rest.Close() }

// scannedBody breaks before it gives the name of a field that makes a manifest of
// a blob.
type scannedBody struct {
	io.ReadCloser
	scan *keyScan
}

// Read implements [io.Reader].
func (s *scannedBody) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.scan.see(p[:n]) {
		return 0, errLargeManifest()
	}
	return n, err
}

// readMore appends to b what r gives until b has n bytes, or fewer when there are
// no more. It gives up on a reader that goes on giving nothing, as [stream] does.
func readMore(b []byte, r io.Reader, n int) ([]byte, error) {
	for idle := 0; len(b) < n; {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(n-len(b), max(cap(b), sniffBytes)))
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
