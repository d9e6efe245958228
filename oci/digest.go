package oci

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Digest names content by the hash of its bytes: "sha256:" and 64 or "sha512:"
// and 128 lower-case hex digits (OCI image specification 1.1, "Digests"). It is
// comparable. The zero value names nothing and matches nothing.
type Digest struct{ s string }

var hexLength = map[string]int{"sha256": sha256.Size * 2, "sha512": sha512.Size * 2}

// ParseDigest reads s. Any algorithm but sha256 and sha512, any upper-case
// digit and any other length is an error, since such a string must never become
// part of a URL or a file name.
func ParseDigest(s string) (Digest, error) {
	algorithm, digits, found := strings.Cut(s, ":")
	if !found {
		return Digest{}, fmt.Errorf("digest %.80q has no algorithm", s)
	}
	length, known := hexLength[algorithm]
	if !known {
		return Digest{}, fmt.Errorf("digest algorithm %.20q is neither sha256 nor sha512", algorithm)
	}
	if len(digits) != length {
		return Digest{}, fmt.Errorf("%s digest has %d digits, wanted %d", algorithm, len(digits), length)
	}
	for _, c := range []byte(digits) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Digest{}, fmt.Errorf("digest has a character that is no lower-case hex digit")
		}
	}
	return Digest{s: s}, nil
}

// SHA256 returns the sha256 digest of b.
func SHA256(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest{s: "sha256:" + hex.EncodeToString(sum[:])}
}

// String returns the digest in the form that [ParseDigest] reads, or "".
func (d Digest) String() string { return d.s }

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d.s == "" }

// Algorithm returns "sha256", "sha512" or "".
func (d Digest) Algorithm() string {
	algorithm, _, _ := strings.Cut(d.s, ":")
	return algorithm
}

// Hex returns the digits alone.
func (d Digest) Hex() string {
	_, digits, _ := strings.Cut(d.s, ":")
	return digits
}

// TagName returns "<algorithm>-<hex>", the form in which a digest appears in
// the names of cosign's tags, with ".sig" behind it. That of a sha512 digest is
// longer than a tag may be, so no registry holds one.
func (d Digest) TagName() string { return strings.Replace(d.s, ":", "-", 1) }

// ReferrersTag returns the tag that lists the referrers of d where a registry has
// no referrers API: the algorithm and the first 64 digits (OCI distribution
// specification 1.1, "Referrers Tag Schema").
func (d Digest) ReferrersTag() string {
	const most = 64
	digits := d.Hex()
	return d.Algorithm() + "-" + digits[:min(len(digits), most)]
}

// Short returns the algorithm and the first 12 digits, for people.
func (d Digest) Short() string {
	const keep = len("sha256:") + 12
	if len(d.s) <= keep {
		return d.s
	}
	return d.s[:keep] + "…"
}

// NewHash returns a running hash of d's algorithm, or nil for the zero value.
func (d Digest) NewHash() hash.Hash {
	switch d.Algorithm() {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// Matches reports whether b hashes to d. The zero value matches nothing.
func (d Digest) Matches(b []byte) bool {
	h := d.NewHash()
	if h == nil {
		return false
	}
	h.Write(b)
	return d.MatchesSum(h)
}

// MatchesSum reports whether h, as returned by [Digest.NewHash] and fed with
// the content, has arrived at d.
func (d Digest) MatchesSum(h hash.Hash) bool {
	return h != nil && d.s != "" && hex.EncodeToString(h.Sum(nil)) == d.Hex()
}

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.s), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; an empty text is the
// zero value.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
