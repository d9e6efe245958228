package oci

import (
	"strconv"
	"strings"
)

// maxMediaTypeBytes is twice what RFC 6838, section 4.2, allows for each part.
const maxMediaTypeBytes = 255

// descriptors reads an array of at most limit descriptors.
func (r *manifestReader) descriptors(field string, limit int) ([]Descriptor, error) {
	all := []Descriptor{}
	err := r.array(func() error {
		if len(all) == limit {
			return invalid("too_many", "more than %d %s", limit, field)
		}
		d, err := r.descriptor()
		all = append(all, d)
		return err
	})
	return all, err
}

// descriptor reads a descriptor; media type, digest and size must be there.
func (r *manifestReader) descriptor() (Descriptor, error) {
	d := Descriptor{Size: -1}
	if err := r.object(func(name []byte) error { return r.descriptorField(&d, name) }); err != nil {
		return Descriptor{}, err
	}
	switch {
	case !isMediaType(d.MediaType):
		return Descriptor{}, invalid("bad_descriptor", "a descriptor has the media type %.80q", d.MediaType)
	case d.Digest.IsZero():
		return Descriptor{}, invalid("bad_descriptor", "a descriptor has no digest")
	case d.Size < 0:
		return Descriptor{}, invalid("bad_descriptor", "a descriptor has no size")
	}
	return d, nil
}

func (r *manifestReader) descriptorField(d *Descriptor, name []byte) (err error) {
	switch string(name) {
	case "mediaType":
		d.MediaType, err = r.value()
		r.lastType = d.MediaType
	case "digest":
		d.Digest, err = r.digest()
	case "size":
		d.Size, err = r.size()
	case "artifactType":
		d.ArtifactType, err = r.value()
	case "platform":
		d.Platform, err = r.platform()
	case "annotations":
		d.Annotations, err = r.annotations()
	default:
		d.Embedded = d.Embedded || string(name) == "data"
		err = r.other(name, "mediaType", "digest", "size", "artifactType", "platform", "annotations", "urls", "data")
	}
	return err
}

func (r *manifestReader) digest() (Digest, error) {
	s, err := r.value()
	if err != nil {
		return Digest{}, err
	}
	d, err := ParseDigest(s)
	if err != nil {
		return Digest{}, invalid("bad_descriptor", "%s", err)
	}
	return d, nil
}

// size reads a whole number, zero or more, that fits an int64. A fraction or an
// exponent is an error, since readers differ in whether 1e3 is whole.
func (r *manifestReader) size() (int64, error) {
	switch c := r.space(); {
	case c != '-' && (c < '0' || c > '9'):
		return 0, r.unexpected("a number")
	default:
		number, err := r.number()
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil || number[0] == '-' {
			return 0, invalid("bad_descriptor", "a descriptor has the size %.40s", number)
		}
		return n, nil
	}
}

func (r *manifestReader) platform() (*Platform, error) {
	p := &Platform{}
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "os":
			p.OS, err = r.value()
		case "architecture":
			p.Architecture, err = r.value()
		case "variant":
			p.Variant, err = r.value()
		default:
			err = r.other(name, "os", "architecture", "variant", "os.version", "os.features", "features")
		}
		return err
	})
	return p, err
}

// isMediaType reports whether s is "type/subtype", parameters allowed, in
// characters that a header can carry.
func isMediaType(s string) bool {
	before, after, _ := strings.Cut(s, "/")
	if before == "" || after == "" || len(s) > maxMediaTypeBytes {
		return false
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
