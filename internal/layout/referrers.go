package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"vouchsafe/oci"
)

// Ceilings of the one look through all blobs for manifests that refer to others.
const (
	// maxNames is how many blobs are looked at.
	maxNames = 20_000
	// maxScanned is how many bytes of them are read.
	maxScanned = 256 << 20
	// maxReferrer is the size of the largest that is: a layer is not read.
	maxReferrer = oci.MaxManifestBytes
	// maxReferrers is how many that refer are remembered.
	maxReferrers = 10_000
)

// subjects are the manifests that refer to another, by the digest of that.
type subjects struct {
	of map[oci.Digest][]oci.Descriptor
	// cut is true when a ceiling was reached.
	cut bool
}

// Referrers returns the manifests in the layout whose subject is the digest
// given. They are looked for among all blobs, since cosign stores a bundle's
// manifest without listing it.
func (l *Layout) Referrers(ctx context.Context, _ oci.Repository, subject oci.Digest) (oci.Referrers, error) {
	if err := ctx.Err(); err != nil {
		return oci.Referrers{}, fmt.Errorf("referrers of %s: %w", subject.Short(), err)
	}
	found, err := l.stored()
	if err != nil {
		return oci.Referrers{}, &oci.Error{Code: oci.CodeUpstream, Reason: "unreadable", Message: "the layout's blobs cannot be listed", Err: err}
	}
	return oci.Referrers{Supported: true, Manifests: found.of[subject], Truncated: found.cut}, nil
}

// scan looks through the blobs.
func (l *Layout) scan() (subjects, error) {
	found := subjects{of: map[oci.Digest][]oci.Descriptor{}}
	left, names, referrers := int64(maxScanned), maxNames, maxReferrers
	for _, algorithm := range []string{"sha256", "sha512"} {
		err := l.each("blobs/"+algorithm, func(name string) bool {
			names--
			if names < 0 || left < 0 || referrers < 0 {
				found.cut = true
				return false
			}
			digest, err := oci.ParseDigest(algorithm + ":" + name)
			if err != nil {
				return true
			}
			n, d, subject := l.referrer(digest)
			left -= n
			if !subject.IsZero() {
				referrers--
				found.of[subject] = append(found.of[subject], d)
			}
			return true
		})
		if err != nil {
			return subjects{}, err
		}
	}
	// A folder has no order; what is printed should have one.
	for _, some := range found.of {
		slices.SortFunc(some, func(a, b oci.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	}
	return found, nil
}

// each calls do with the names in a folder until it returns false; a folder that
// is not there is empty.
func (l *Layout) each(folder string, do func(name string) bool) error {
	dir, err := l.root.OpenFile(folder, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	for {
		some, err := dir.Readdirnames(256)
		for _, name := range some {
			if !do(name) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// referrer returns how many bytes of a blob were read and, when it is a manifest
// with a subject, its descriptor and that subject. What cannot be read or is no
// manifest refers to nothing.
func (l *Layout) referrer(digest oci.Digest) (read int64, d oci.Descriptor, subject oci.Digest) {
	info, err := l.root.Stat(path(digest))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxReferrer {
		return 0, d, subject
	}
	b, err := l.blob(digest, maxReferrer, oci.CodeBlobUnknown)
	read = info.Size()
	if err != nil || !bytes.Contains(b, []byte(`"subject"`)) {
		return read, d, subject
	}
	m, err := oci.ParseManifest(b, "")
	if err != nil || m.Subject == nil {
		return read, d, subject
	}
	d = oci.Descriptor{MediaType: m.MediaType, Digest: digest, Size: int64(len(b)), ArtifactType: m.ArtifactType}
	if d.ArtifactType == "" {
		d.ArtifactType = m.Config.MediaType
	}
	return read, d, m.Subject.Digest
}
