package verify

import (
	"context"
	"time"

	"vouchsafe/oci"
)

// Caps on evidence. Within them one bad item hides nothing.
const (
	// MaxSignatures is the most signatures of one image over all places.
	MaxSignatures = 64
	// MaxSignatureBytes is the most that one signature may have.
	MaxSignatureBytes = 1 << 20
	// MaxEvidenceBytes is the most that all signatures of one image may have.
	MaxEvidenceBytes = 8 << 20
	// MaxLogEntries is the most log entries of one bundle.
	MaxLogEntries = 32
	// MaxTimestamps is the most timestamps of one bundle.
	MaxTimestamps = 16
	// EvidenceTimeout bounds Collect and Complete together.
	EvidenceTimeout = 20 * time.Second
)

// Source is what Collect asks of a registry. The implementation bounds every read
// and what all reads hold together until they return; nothing is asked twice.
// Errors are [oci.Error] values or wrap a context error.
type Source interface {
	// GetManifest returns the manifest that ref names, by digest when it has
	// one. Absence is CodeManifestUnknown or CodeNameUnknown. With a digest the
	// bytes have been checked against it.
	GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error)
	// Referrers asks the referrers API alone; a registry without it is
	// Supported false and no error.
	Referrers(ctx context.Context, repository oci.Repository, subject oci.Digest) (oci.Referrers, error)
	// SmallBlob returns a whole blob of at most limit bytes, checked against
	// digest. A larger one is CodeUpstream with Reason "too_large".
	SmallBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, limit int64) ([]byte, error)
}

// Format is how a signature is written down. The zero value is invalid.
type Format uint8

const (
	// FormatSimpleSigning is cosign's own: a layer of the image that the tag
	// sha256-<hex>.sig names.
	FormatSimpleSigning Format = iota + 1
	// FormatBundle is a Sigstore bundle.
	FormatBundle
)

// String returns "cosign", "bundle" or "invalid".
func (f Format) String() string {
	switch f {
	case FormatSimpleSigning:
		return "cosign"
	case FormatBundle:
		return "bundle"
	}
	return "invalid"
}

// MarshalText implements [encoding.TextMarshaler].
func (f Format) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Item is one signature as it was found, untrusted.
type Item struct {
	Format Format
	// Source is the manifest that holds the signature, by tag (.sig) or digest.
	Source oci.Reference
	// Digest is the digest of the layer: simple-signing payload or bundle.
	Digest oci.Digest
	// Payload is the layer: the simple-signing JSON or the bundle's JSON.
	Payload []byte
	// Annotations are the layer's, for FormatSimpleSigning.
	Annotations map[string]string
	// Problem is not nil when the item is listed but its bytes could not be had:
	// then it counts as a signature that does not verify (Untrusted reasons) or
	// as a place that was not completed (Unavailable reasons).
	Problem *Problem
	// answer is what a log answered for one integration; nil in what registries
	// hold.
	answer *logAnswer
}

// Problem is one thing that went wrong while evidence was collected.
type Problem struct {
	Reason  Reason
	Message string
	// Unavailable is true when asking again may help: registry trouble, a
	// missing right, time. It makes a result without a good signature
	// Unavailable.
	Unavailable bool
}

// Evidence is what one repository holds about one digest. It is immutable and
// shared.
type Evidence struct {
	// Repository is the image's.
	Repository oci.Repository
	Digest     oci.Digest
	// Signatures is the repository that was asked; zero is Repository.
	Signatures oci.Repository
	// Items are interleaved over the places, each place in its own order.
	Items []Item
	// Problems are of whole places.
	Problems []Problem
	// OverLimit is true when a cap was reached: more is there than was read.
	OverLimit bool
	// CollectedAt is when the last answer arrived.
	CollectedAt time.Time
}
