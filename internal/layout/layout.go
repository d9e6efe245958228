package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"vouchsafe/oci"
)

const (
	indexFile = "index.json"
	// nameNote is the annotation that names an entry (OCI image specification 1.1,
	// "Pre-Defined Annotation Keys").
	nameNote = "org.opencontainers.image.ref.name"
	// kindNote is cosign's annotation of what an entry is.
	kindNote       = "kind"
	kindSignatures = "dev.cosignproject.cosign/sigs"
	// kindPrefix begins all of them; those of images go on with "image".
	kindPrefix = "dev.cosignproject.cosign/"
)

// Layout is an open folder. It is safe for concurrent use. What is in the folder
// may change meanwhile: each read is checked by itself.
type Layout struct {
	root    *os.Root
	entries []oci.Descriptor
	// signatures are the entries that cosign noted as signatures, by the digest
	// of the image entry before them.
	signatures map[oci.Digest]oci.Descriptor
	// stored finds the manifests that refer to others, once.
	stored func() (subjects, error)
}

// Open reads the index of the layout in dir. The error says what is wrong with
// it; Close ends the use of the folder.
func Open(dir string) (*Layout, error) {
	// Looked at first: a pipe that nobody writes to would never open.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open layout %s: not a folder", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open layout: %w", err)
	}
	l := &Layout{root: root, signatures: map[oci.Digest]oci.Descriptor{}}
	l.stored = sync.OnceValues(l.scan)
	if err := l.readIndex(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open layout %s: %w", dir, err)
	}
	return l, nil
}

// Close closes the folder.
func (l *Layout) Close() error { return l.root.Close() }

func (l *Layout) readIndex() error {
	text, err := l.read(indexFile, oci.MaxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: not an OCI image layout", indexFile)
	}
	if err != nil {
		return err
	}
	index, err := oci.ParseManifest(text, oci.MediaTypeImageIndex)
	if err != nil {
		return fmt.Errorf("%s: %w", indexFile, err)
	}
	l.entries = index.Manifests
	var image oci.Digest
	for _, entry := range l.entries {
		kind := entry.Annotations[kindNote]
		_, taken := l.signatures[image]
		switch {
		case kind == kindSignatures && !image.IsZero() && !taken:
			l.signatures[image] = entry
		case strings.HasPrefix(kind, kindPrefix+"image"):
			image = entry.Digest
		}
	}
	return nil
}

// Entry is one manifest that the layout lists.
type Entry struct {
	// Name is as the layout has it, a tag or an image name; may be empty.
	Name   string
	Digest oci.Digest
}

// Entries returns what the layout lists, in its order, at most
// [oci.MaxIndexManifests], signatures included.
func (l *Layout) Entries() []Entry {
	all := make([]Entry, len(l.entries))
	for i, d := range l.entries {
		all[i] = Entry{Name: d.Annotations[nameNote], Digest: d.Digest}
	}
	return all
}

// Find returns the digest that ref names here: its digest when it has one; else
// that of the entry of its whole name or of its tag. A layout with one entry that
// nobody named, signatures left out, holds what it is called by whoever asks. The
// error is CodeManifestUnknown, or CodeManifestInvalid for a name of two images:
// which one another program would take is not known.
func (l *Layout) Find(ref oci.Reference) (oci.Digest, error) {
	if !ref.Digest.IsZero() {
		return ref.Digest, nil
	}
	unnamed := []oci.Digest{}
	var named oci.Digest
	for _, d := range l.entries {
		name := d.Annotations[nameNote]
		if names(name, ref) {
			if !named.IsZero() && named != d.Digest {
				return oci.Digest{}, &oci.Error{Code: oci.CodeManifestInvalid, Message: fmt.Sprintf("the layout lists two images of the name %s", ref)}
			}
			named = d.Digest
		}
		kind := d.Annotations[kindNote]
		if signature := strings.HasPrefix(kind, kindPrefix) && !strings.HasPrefix(kind, kindPrefix+"image"); !signature {
			unnamed = append(unnamed, d.Digest)
			if name != "" {
				unnamed = append(unnamed, d.Digest) // Never alone.
			}
		}
	}
	switch {
	case !named.IsZero():
		return named, nil
	case len(unnamed) == 1:
		return unnamed[0], nil
	}
	return oci.Digest{}, &oci.Error{Code: oci.CodeManifestUnknown, Message: fmt.Sprintf("the layout lists nothing of the name %s", ref)}
}

// names reports whether an entry's name is that of ref: its tag alone, or all of
// it.
func names(name string, ref oci.Reference) bool {
	if name == "" || ref.Tag == "" {
		return false
	}
	if name == ref.Tag {
		return true
	}
	whole, err := oci.ParseReference(name)
	return err == nil && strings.ContainsAny(name, "/:") && whole.Tag == ref.Tag && whole.Repository == ref.Repository
}

// GetManifest returns the manifest that ref names, by digest when it has one, else
// by tag: an entry's name, or a tag under which cosign looks for signatures. The
// repository does not count for a tag, since a signature says itself what it is
// about. Errors are [oci.Error] values or wrap ctx's.
func (l *Layout) GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error) {
	if err := ctx.Err(); err != nil {
		return oci.RawManifest{}, fmt.Errorf("read %s: %w", ref, err)
	}
	d, ok := oci.Descriptor{Digest: ref.Digest}, !ref.Digest.IsZero()
	if !ok {
		d, ok = l.tagged(ref.Tag)
	}
	if !ok {
		return oci.RawManifest{}, &oci.Error{Code: oci.CodeManifestUnknown, Message: "the layout lists no " + ref.Tag}
	}
	b, err := l.blob(d.Digest, oci.MaxManifestBytes, oci.CodeManifestUnknown)
	return oci.RawManifest{ContentType: d.MediaType, Bytes: b}, err
}

// tagged returns the entry that a registry would hold under tag.
func (l *Layout) tagged(tag string) (oci.Descriptor, bool) {
	for _, d := range l.entries {
		if name := d.Annotations[nameNote]; name != "" && (name == tag || strings.HasSuffix(name, ":"+tag)) {
			return d, true
		}
	}
	for image, d := range l.signatures {
		if tag == image.TagName()+".sig" {
			return d, true
		}
	}
	return oci.Descriptor{}, false
}

// HeadManifest returns the digest of the entry that ref names.
func (l *Layout) HeadManifest(_ context.Context, ref oci.Reference) (oci.Digest, error) {
	return l.Find(ref)
}

// SmallBlob returns a blob of at most limit bytes, checked against digest; the
// repository does not count. A larger one is CodeUpstream with Reason "too_large".
func (l *Layout) SmallBlob(ctx context.Context, _ oci.Repository, digest oci.Digest, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", digest.Short(), err)
	}
	return l.blob(digest, limit, oci.CodeBlobUnknown)
}
