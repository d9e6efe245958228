package verify

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"vouchsafe/oci"
)

const (
	defaultVerifiedTTL    = 4 * time.Hour
	defaultRejectedTTL    = 60 * time.Second
	defaultUnavailableTTL = 5 * time.Second
	defaultCollections    = 64
	defaultEvidenceBytes  = 32 << 20
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
	// Workers bounds how many images are collected and judged at once, half of
	// the collections for one registry; zero means 64 collections and as many
	// judges as there are processors.
	Workers int
	// PayloadBytes bounds the signatures of images that are being collected and
	// judged; see [Collector]. Zero means 128 MiB.
	PayloadBytes int64
	// EvidenceBytes bounds the evidence kept for other integrations and for a
	// changed one; zero means 32 MiB.
	EvidenceBytes int64
	// Logs sends what is asked of transparency logs; nil means that a signature
	// for which one would have to be asked is Unavailable.
	Logs LogClient
	// UserAgent names this program to logs.
	UserAgent string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is called with each judged result and how long collection and
	// judging took, and with each that was not there in time and how long was
	// waited; nil means not observed.
	Observe func(Result, time.Duration)
	// ObserveCache is called with "hit", "miss" or "stale" for each look-up; nil
	// means not observed.
	ObserveCache func(outcome string)
	// ObserveLog is called with the host of a log and "ok", "not_found", "refused",
	// "invalid", "timeout" or "error" for each request to it; nil means not
	// observed.
	ObserveLog func(host, outcome string)
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	setDefault(&c.VerifiedTTL, defaultVerifiedTTL)
	setDefault(&c.RejectedTTL, defaultRejectedTTL)
	setDefault(&c.UnavailableTTL, defaultUnavailableTTL)
	setDefault(&c.Timeout, EvidenceTimeout)
	setDefault(&c.EvidenceBytes, defaultEvidenceBytes)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(Result, time.Duration) {}
	}
	if c.ObserveCache == nil {
		c.ObserveCache = func(string) {}
	}
	if c.ObserveLog == nil {
		c.ObserveLog = func(string, string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T ~int64](value *T, to T) {
	if *value <= 0 {
		*value = to
	}
}

// Verifier gives results from a cache, or collects evidence and judges it. It
// is safe for concurrent use: all callers that want the same image at the same
// time share one collection.
type Verifier struct {
	cfg       Config
	cache     Cache
	collector *Collector
	evidence  *evidenceStore
	completer *completer
	// collecting and judging count those at work.
	collecting *share
	judging    chan struct{}
	later      later
	ahead      *ahead

	// mu guards flights, asking and closed. running counts the goroutines that go on
	// after answers.
	mu      sync.Mutex
	flights map[subject]*flight
	asking  map[askingKey]*judgement
	closed  bool
	running sync.WaitGroup
}

// New returns a Verifier that asks source and keeps results in cache.
func New(source Source, cache Cache, cfg Config) *Verifier {
	cfg = cfg.withDefaults()
	collections, judges := cfg.Workers, cfg.Workers
	if cfg.Workers <= 0 {
		collections, judges = defaultCollections, runtime.GOMAXPROCS(0)
	}
	return &Verifier{
		cfg:        cfg,
		cache:      cache,
		collector:  &Collector{Source: source, Timeout: cfg.Timeout, Now: cfg.Now, Log: cfg.Log, PayloadBytes: cfg.PayloadBytes},
		evidence:   newEvidenceStore(cfg.EvidenceBytes),
		completer:  &completer{logs: newLogSource(cfg), log: cfg.Log},
		collecting: newShare(int64(collections)),
		judging:    make(chan struct{}, judges),
		ahead:      newAhead(collections),
		flights:    map[subject]*flight{},
		asking:     map[askingKey]*judgement{},
	}
}

// Results returns one result for each of q.Needed, in order. Trouble is inside
// the results, as Unavailable. So is what is not done 1 s before ctx's deadline,
// or when a tenth of less than 10 s is left, with the reason Timeout, the wait
// for a turn included: time that is over is an answer, which a caller has to
// record. The error is that of a cancelled ctx. A caller that leaves does not
// stop a collection that has begun.
//
// A kept result in the last fifth of its life is given at once and renewed
// behind the answer.
func (v *Verifier) Results(ctx context.Context, q Query) ([]Result, error) {
	results := make([]Result, len(q.Needed))
	missing := 0
	aging := false
	for i, in := range q.Needed {
		if kept, ok := v.lookUp(ctx, q, in); ok {
			results[i] = kept
			results[i].Cached = true
			aging = aging || v.aging(&results[i])
			continue
		}
		missing++
	}
	if q.KnownOnly {
		v.unknown(ctx, q, results)
		return results, nil
	}
	if missing == 0 && aging {
		v.renew(ctx, q, results)
	}
	if missing == 0 {
		if len(q.Needed) == 0 {
			for _, rest := range q.portions(q.Others, everyone) {
				v.judgeLater(ctx, lateWork{about: rest.about, others: rest.some, collect: true})
			}
		}
		return results, nil
	}
	begin := time.Now()
	wait, cancel := inTime(ctx)
	defer cancel()
	err := v.fill(wait, q, results)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		v.overdue(ctx, q, results, time.Since(begin))
	default:
		return nil, err
	}
	return results, nil
}

// lookUp returns a kept result that q accepts.
func (v *Verifier) lookUp(ctx context.Context, q Query, in *Integration) (Result, bool) {
	result, fresh, found := v.cache.Get(ctx, CacheKey{q.Repository, q.Digest, in.Name(), in.Revision()})
	switch {
	case !found:
		v.cfg.ObserveCache("miss")
	case !fresh || !v.young(result.CollectedAt, q.MaxAge):
		v.cfg.ObserveCache("stale")
	default:
		v.cfg.ObserveCache("hit")
		return result, true
	}
	return Result{}, false
}

// young reports whether what was made at some time is not older than maxAge;
// zero means that age does not matter here.
func (v *Verifier) young(made time.Time, maxAge time.Duration) bool {
	return maxAge <= 0 || v.cfg.Now().Sub(made) <= maxAge
}

// Evidence returns what is beside an image, from memory when it is younger than
// maxAge, else freshly collected. Trouble is inside the evidence; the error is
// ctx's own.
func (v *Verifier) Evidence(ctx context.Context, repository oci.Repository, digest oci.Digest, maxAge time.Duration) (Evidence, error) {
	about := subject{repository, digest, repository}
	kept, found := v.evidence.get(about)
	if found && maxAge > 0 && v.young(kept.CollectedAt, maxAge) {
		return kept.Evidence, nil
	}
	from, err := v.fly(ctx, about, kept.number, nil)
	if err != nil {
		return Evidence{}, err
	}
	defer v.leave(from)
	return from.evidence, nil
}

// Close waits for the work that goes on after answers; what has not begun to ask
// a registry by then does not. Results that are asked for afterwards are still
// given, but nothing goes on behind them.
func (v *Verifier) Close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.running.Wait()
}
