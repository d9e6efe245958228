// Package content turns names into bytes: a tag or digest into the manifest
// bytes that were hashed here.
//
// Trust: what an upstream says is a claim. The digest of an image is computed
// here from the bytes that were fetched; a digest header may select among bytes
// already hashed here, nothing more. Bytes are kept per repository, so that a
// right to read one repository says nothing about another.
//
// Limits: manifests in memory are bounded by bytes, and one fetch serves all
// callers that want the same name at the same time.
package content

import (
	"context"
	"log/slog"
	"time"

	"vouchsafe/oci"
)

// Upstream is where bytes come from. Implementations bound every read; errors
// are [oci.Error] values or wrap a context error.
type Upstream interface {
	// GetManifest fetches by digest when ref has one, else by tag. With a
	// digest the bytes have been checked against it.
	GetManifest(ctx context.Context, ref oci.Reference) (oci.RawManifest, error)
	// HeadManifest returns the digest that the upstream claims for a tag, zero
	// when it claims none.
	HeadManifest(ctx context.Context, ref oci.Reference) (oci.Digest, error)
}

// Config configures a Resolver. The zero value is usable.
type Config struct {
	// MaxBytes bounds the manifests in memory; zero means 64 MiB.
	MaxBytes int64
	// TagTTL says how long a resolved tag of a registry is good; nil means 30 s
	// for all.
	TagTTL func(registry string) time.Duration
	// Timeout bounds one resolution, whoever still waits; zero means 25 s.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is called with "hit", "miss" or "shared" for each resolution; nil
	// means not observed.
	Observe func(outcome string)
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
}

// Resolver resolves names. It is safe for concurrent use.
type Resolver struct{}

// New returns a Resolver over upstream.
func New(upstream Upstream, cfg Config) *Resolver { panic("not built yet") }

// Resolve returns the image that ref names: by digest when it has one, from
// memory if it is there; else by tag. The first resolution of a tag is one GET
// by tag; once its TTL is over a HEAD follows, whose digest selects among the
// bytes already hashed here, else a GET by that digest.
//
// Errors are [oci.Error] values, among them CodeManifestInvalid from
// [oci.ParseManifest], or wrap ctx's error.
func (r *Resolver) Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error) {
	panic("not built yet")
}

// Bytes returns how many bytes of manifests are in memory.
func (r *Resolver) Bytes() int64 { panic("not built yet") }
