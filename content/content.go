// Package content turns names into bytes: a tag or digest into the manifest
// bytes that were hashed here, and a blob's digest into a stream that its readers
// share.
//
// Trust: what an upstream says is a claim. The digest of an image is computed
// here from the bytes that were fetched; a digest header may select among bytes
// already hashed here, nothing more. The last byte of a whole blob is given only
// when its digest is proven. Bytes are kept per repository, so that a right to
// read one repository says nothing about another.
//
// A tag that a registry in trouble cannot confirm may be answered with what it
// named before, and with the age of that. It says nothing about whether the
// image may be served: the caller decides that now, as for any other.
//
// Limits: manifests in memory are bounded by bytes, tags by number, blobs by one
// buffer for the process of which a registry has half when others need the rest.
// One fetch serves all callers that want the same name at the same time, and all
// readers of a blob that find its beginning in the buffer. A reader costs the
// buffer nothing: one that is too slow goes on by a request of its own.
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
	// MaxTags bounds the tags that are remembered; zero means [DefaultTags].
	MaxTags int
	// TagTTL says how long a resolved tag of a registry is good; nil means 30 s
	// for all.
	TagTTL func(registry string) time.Duration
	// StaleTagTTL says how long the last resolution of a registry's tag may serve
	// while that registry is in trouble; nil and zero mean never.
	StaleTagTTL func(registry string) time.Duration
	// Timeout bounds one resolution, whoever still waits; zero means 25 s.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is called with "hit", "miss", "shared" or "stale" for each
	// resolution; nil means not observed.
	Observe func(outcome string)
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
}

const (
	defaultMaxBytes = 64 << 20
	defaultTagTTL   = 30 * time.Second
	defaultTimeout  = 25 * time.Second
)

// Resolver resolves names. It is safe for concurrent use.
type Resolver struct {
	upstream Upstream
	cfg      Config
	store    *store
	tags     *tagStore
	flights  *flights
	troubled troubled
}

// New returns a Resolver over upstream.
func New(upstream Upstream, cfg Config) *Resolver {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.MaxTags <= 0 {
		cfg.MaxTags = DefaultTags
	}
	if cfg.TagTTL == nil {
		cfg.TagTTL = func(string) time.Duration { return defaultTagTTL }
	}
	if cfg.StaleTagTTL == nil {
		cfg.StaleTagTTL = func(string) time.Duration { return 0 }
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Resolver{
		upstream: upstream,
		cfg:      cfg,
		store:    newStore(cfg.MaxBytes),
		tags:     newTagStore(cfg.MaxTags),
		flights:  newFlights(cfg.Timeout, cfg.Now, cfg.Log),
	}
}

// Bytes returns how many bytes of manifests are in memory, their parsed form
// included.
func (r *Resolver) Bytes() int64 { return r.store.size() }

// Release lets go of half of the manifests in memory, by bytes, those that were
// used least recently. It is for a process that is short of memory: what has gone
// is fetched again.
func (r *Resolver) Release() { r.store.halve() }
