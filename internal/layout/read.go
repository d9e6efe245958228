package layout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"vouchsafe/oci"
)

var errTooLarge = errors.New("larger than is read")

// read returns a regular file of at most limit bytes. Links are followed inside
// the folder alone.
func (l *Layout) read(name string, limit int64) ([]byte, error) {
	// Not blocking, since a pipe that nobody writes to would never open.
	file, err := l.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %w: over %d bytes", name, errTooLarge, limit)
	}
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: %w: over %d bytes", name, errTooLarge, limit)
	}
	return b, err
}

// path is where a blob is (OCI image specification 1.1, "Blobs"). A digest holds
// nothing but an algorithm that is known and hex digits.
func path(digest oci.Digest) string { return "blobs/" + digest.Algorithm() + "/" + digest.Hex() }

// blob returns a blob checked against its digest; absent is the class of the
// error when it is not there. Other content than the name says is
// CodeManifestInvalid: asking again cannot help.
func (l *Layout) blob(digest oci.Digest, limit int64, absent oci.Code) ([]byte, error) {
	if digest.IsZero() {
		return nil, &oci.Error{Code: absent, Message: "no digest"}
	}
	b, err := l.read(path(digest), limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &oci.Error{Code: absent, Message: "the layout has no " + digest.Short()}
	case errors.Is(err, errTooLarge):
		return nil, &oci.Error{Code: oci.CodeUpstream, Reason: "too_large", Message: digest.Short() + " is larger than is read", Err: err}
	case err != nil:
		return nil, &oci.Error{Code: oci.CodeUpstream, Reason: "unreadable", Message: digest.Short() + " cannot be read from the layout", Err: err}
	case !digest.Matches(b):
		return nil, &oci.Error{
			Code: oci.CodeManifestInvalid, Reason: "digest_mismatch",
			Message: "the layout holds other content under " + digest.Short(),
		}
	}
	return b, nil
}
