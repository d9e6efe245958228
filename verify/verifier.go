package verify

import (
	"context"
	"log/slog"
	"time"

	"vouchsafe/oci"
)

// Config configures a Verifier. The zero value is usable.
type Config struct {
	// VerifiedTTL is how long a Verified result is kept; zero means 4 h.
	VerifiedTTL time.Duration
	// RejectedTTL is how long Unsigned and Untrusted are kept; zero means 60 s.
	RejectedTTL time.Duration
	// UnavailableTTL is how long Unavailable is kept; zero means 5 s.
	UnavailableTTL time.Duration
	// Timeout bounds one collection; zero means EvidenceTimeout.
	Timeout time.Duration
	// Workers bounds how many images are collected and judged at once; zero
	// means 64 collections and as many judges as there are processors.
	Workers int
	// EvidenceBytes bounds the evidence kept for other integrations and for a
	// changed one; zero means 32 MiB.
	EvidenceBytes int64
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is called with each judged result and how long collection and
	// judging took; nil means not observed.
	Observe func(Result, time.Duration)
	// ObserveCache is called with "hit", "miss" or "stale" for each look-up.
	ObserveCache func(outcome string)
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
}

// Verifier gives results from a cache, or collects evidence and judges it. It
// is safe for concurrent use: all callers that want the same image at the same
// time share one collection.
type Verifier struct{}

// New returns a Verifier that asks source and keeps results in cache.
func New(source Source, cache Cache, cfg Config) *Verifier { panic("not built yet") }

// Results returns one result for each of q.Needed, in order. Trouble is inside
// the results, as Unavailable; the error is ctx's own. A caller that leaves does
// not stop the work that others wait for.
func (v *Verifier) Results(ctx context.Context, q Query) ([]Result, error) { panic("not built yet") }

// Evidence returns what the registry holds about a digest, from memory when it
// is younger than maxAge, else freshly collected. signatures is the repository
// that holds the signatures; the zero value means the image's own.
func (v *Verifier) Evidence(ctx context.Context, repository oci.Repository, digest oci.Digest, maxAge time.Duration) (Evidence, error) {
	panic("not built yet")
}

// Close waits for the work that goes on after answers.
func (v *Verifier) Close() { panic("not built yet") }
