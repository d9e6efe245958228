package verify

import (
	"context"
	"time"

	"vouchsafe/oci"
)

// Signature is what one integration makes of one [Item].
type Signature struct {
	Format Format        `json:"format"`
	Digest oci.Digest    `json:"digest"`
	Source oci.Reference `json:"source"`
	// Key, Certificate, Timestamps and RekorBundle are what was proven of the
	// signature, whatever its status; what nobody demanded may not have been
	// looked at.
	Key         *Key         `json:"key,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Timestamps  []Timestamp  `json:"timestamps,omitempty"`
	RekorBundle *RekorBundle `json:"rekorBundle,omitempty"`
	Status      Status       `json:"status"`
	Reason      Reason       `json:"reason,omitempty"`
	Message     string       `json:"message,omitempty"`
}

// Key names the public key that verified a signature.
type Key struct {
	Name string `json:"name"`
	// Fingerprint is "SHA256:" and the hex of the SHA-256 of the key's
	// SubjectPublicKeyInfo.
	Fingerprint string `json:"fingerprint"`
}

// Result is what one integration says of one image. It is immutable and shared.
type Result struct {
	Integration string `json:"integration"`
	// Revision is the integration's, see [Integration.Revision].
	Revision string `json:"-"`
	Status   Status `json:"status"`
	// Reason is empty for Verified and for Unsigned.
	Reason Reason `json:"reason,omitempty"`
	// Message explains Status in one line for people: what was found and, where
	// it differs, what was wanted.
	Message string `json:"message,omitempty"`
	// Signer is the key's name ("release-2026") or the certificate's identity; with
	// IdentityMismatch and IssuerMismatch whom the authority vouches for instead.
	Signer   string `json:"signer,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	LogIndex *int64 `json:"logIndex,omitempty"`
	// Signatures has one entry for each item of the evidence; in a result that
	// was kept in an [LRU] only those that verified are left, so that strangers
	// who push signatures cannot fill memory.
	Signatures []Signature `json:"-"`
	// InheritedFrom is the index whose Verified result this is; zero when the
	// image itself was judged.
	InheritedFrom oci.Digest `json:"inheritedFrom,omitzero"`
	// JudgedAt is when Judge ran.
	JudgedAt time.Time `json:"-"`
	// CollectedAt is when the evidence was collected that was judged.
	CollectedAt time.Time `json:"-"`
	// EndsAt is when a Verified result stops being one whatever the cache says:
	// the end of the key's window, or of the first certificate of the chain, where
	// these were judged at JudgedAt. Zero means that nothing in it ends.
	EndsAt time.Time `json:"-"`
	// LastVerifiedAt, in an Unavailable result, is when this integration under
	// this revision last verified this image; zero means never or not known.
	LastVerifiedAt time.Time `json:"-"`
	// Cached is true when no judging was needed for this request.
	Cached bool `json:"-"`
}

// CacheKey names one result. Every part counts: the same digest in another
// repository or under another revision of the integration is another result.
type CacheKey struct {
	Repository  oci.Repository
	Digest      oci.Digest
	Integration string
	Revision    string
}

// Cache keeps results for their lifetime. Implementations are safe for
// concurrent use.
type Cache interface {
	// Get returns the result kept under key. A result past its lifetime is
	// returned only with fresh false, and only while it may still say when the
	// image was last Verified.
	Get(ctx context.Context, key CacheKey) (result Result, fresh, found bool)
	// Put keeps result until the instant given. An Unavailable result never
	// replaces a Verified one that is still fresh.
	Put(ctx context.Context, key CacheKey, result Result, until time.Time)
}

// Query asks for the results of one image.
type Query struct {
	Repository oci.Repository
	Digest     oci.Digest
	// Needed are the integrations that the caller waits for.
	Needed []*Integration
	// Others are judged from the same evidence after the answer, so that each
	// image has a result for each integration. When every result of Needed was
	// kept, nothing is asked for on their behalf; when something was collected,
	// those whose signatures are in another repository have theirs collected too,
	// and when nothing is needed at all, all of them, unless it was within
	// VerifiedTTL. May be nil.
	Others []*Integration
	// MaxAge makes results and evidence older than it not count; zero means
	// their own lifetimes.
	MaxAge time.Duration
	// KnownOnly asks nobody, now or later: a result that is not kept is
	// Unavailable with the reason [NotKnown], and none is renewed.
	KnownOnly bool
}
