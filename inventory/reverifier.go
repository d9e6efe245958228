package inventory

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

const (
	defaultInterval = 4 * time.Hour
	defaultWorkers  = 8
	// pollEvery is how often changed rules and images that became due out of
	// their turn are looked for.
	pollEvery = time.Second
	// checkTime bounds one check: a collection, and the wait for its turn.
	checkTime = 2 * verify.EvidenceTimeout
)

// Engine judges images that were judged before; [policy.Engine] is one. Errors
// are ctx's own or bugs.
type Engine interface {
	// DecideAgain judges by the results of all integrations, which it returns,
	// from evidence not older than maxAge; zero means whatever has not ended. above
	// are indexes that are known to list the image.
	DecideAgain(ctx context.Context, request policy.Request, image oci.Reference, mediaType string, maxAge time.Duration, above []oci.Digest) (policy.Decision, []verify.Result, error)
	// DecideFrom judges by results at hand and asks nobody.
	DecideFrom(request policy.Request, image oci.Reference, mediaType string, results []verify.Result) (policy.Decision, error)
}

// Records writes audit records.
type Records interface {
	// Record writes one decision. An error means that it may not have been
	// written; then it comes again.
	Record(ctx context.Context, request policy.Request, decision policy.Decision) error
}

// ReverifyConfig configures a Reverifier. Rules must be set.
type ReverifyConfig struct {
	// Interval is how often each image is checked at least; zero means 4 h. The
	// period is nine tenths of it, or of the memory's VerifiedTTL if that is less,
	// so that nothing ends before its turn.
	Interval time.Duration
	// Rules returns the rules in force now.
	Rules func() policy.Rules
	// Resolver reads images that run and were never asked for here; nil means that
	// they are judged by what they carry themselves.
	Resolver Resolver
	// Workers bounds how many images are checked at once, half of them of one
	// registry; zero means 8.
	Workers int
	// Changed is called with each change that was recorded; nil means not
	// observed.
	Changed func(integration string, from, to verify.Status)
	// Log receives changes and failures; nil means discarded.
	Log *slog.Logger
}

// Reverifier judges everything in a Memory again: each image once in a period, and
// at once when an integration changes.
type Reverifier struct {
	memory  *Memory
	engine  Engine
	records Records
	cfg     ReverifyConfig

	// revision and integrations are those that were followed last; Run alone has
	// them.
	revision     string
	integrations map[string]string
}

// NewReverifier returns a Reverifier of memory. One Memory has one Reverifier.
func NewReverifier(memory *Memory, engine Engine, records Records, cfg ReverifyConfig) *Reverifier {
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	if cfg.Workers <= 0 {
		cfg.Workers = defaultWorkers
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string, verify.Status, verify.Status) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Reverifier{memory: memory, engine: engine, records: records, cfg: cfg}
	rules := cfg.Rules()
	r.revision, r.integrations = rules.Revision, revisions(rules)
	memory.start(min(cfg.Interval, memory.cfg.VerifiedTTL) / 10 * 9)
	return r
}

// start plans all images, once each period.
func (m *Memory) start(period time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.schedule.period, m.schedule.ttl = max(period, 1), m.cfg.VerifiedTTL
	for _, e := range m.images {
		m.schedule.plan(e)
	}
}

// Due returns how many images are due, those being checked included.
func (r *Reverifier) Due() int {
	n, _ := r.late()
	return n
}

// Lag returns for how long the first of them has been.
func (r *Reverifier) Lag() time.Duration {
	_, lag := r.late()
	return lag
}

func (r *Reverifier) late() (int, time.Duration) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return r.memory.schedule.late(r.memory.cfg.Now())
}

// Run checks until ctx ends, and returns when the last check has. It is called
// once.
func (r *Reverifier) Run(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	done := make(chan struct{}, r.cfg.Workers)
	each, running := max(1, r.cfg.Workers/2), 0
	for ctx.Err() == nil {
		r.follow(ctx)
		wait := pollEvery
		for running < r.cfg.Workers {
			j, until, ok := r.memory.take(each)
			if !ok {
				wait = min(wait, until)
				break
			}
			running++
			working.Go(func() {
				defer func() { done <- struct{}{} }()
				r.check(ctx, j)
			})
		}
		select {
		case <-ctx.Done():
		case <-done:
			running--
		case <-time.After(wait):
		}
	}
}

// check judges one image again and tells what changed.
func (r *Reverifier) check(ctx context.Context, j job) {
	open := true
	defer func() {
		if p := recover(); p != nil {
			r.failed(ctx, j, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		r.memory.finish(j, open)
	}()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := r.readDeployed(ctx, &j); err != nil {
		r.cfg.Log.WarnContext(ctx, "deployed image not judged: it cannot be read", "image", j.image.String(), "error", err)
		return
	}
	request := policy.Request{Kind: policy.KindReverification, Reference: j.image}
	decision, all, err := r.engine.DecideAgain(ctx, request, j.image, j.mediaType, j.maxAge, j.above)
	if err != nil {
		r.failed(ctx, j, err)
		return
	}
	l := r.memory.learn(j, all)
	if l.other {
		if decision, err = r.engine.DecideFrom(request, j.image, j.mediaType, l.results); err != nil {
			r.memory.untell(j, l.changes)
			r.failed(ctx, j, err)
			return
		}
	}
	r.memory.judged(j, &decision)
	if r.memory.vouched(j.image, &decision, l.results) {
		r.memory.cfg.Lineage.vouchFor(j.image.Repository, j.image.Digest)
	}
	open = l.open
	if len(l.changes) > 0 && !r.tell(ctx, request, decision, l) {
		r.memory.untell(j, l.changes)
		open = true
	}
}

// failed logs what is no answer; that ctx ended is none either.
func (r *Reverifier) failed(ctx context.Context, j job, err error) {
	if ctx.Err() == nil {
		r.cfg.Log.ErrorContext(ctx, "image not judged again", "image", j.image.String(), "error", err)
	}
}
