// Package audit writes a record of every decision before its answer leaves.
//
// [Log] wraps a [policy.Decider]. A record that cannot be written turns the
// decision of an enforcing policy into Unavailable after a second of tries; a
// decision that only informs is served and the failure counted.
//
// Trust: names, user agents and request ids in a record are a client's own
// text; JSON escaping keeps each record one line of printable text. No
// credential is ever part of a record.
package audit

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// DefaultRetry is how long a failing sink is tried when nothing else is said.
const DefaultRetry = time.Second

// Pauses between tries: each is twice the one before.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// Sink takes records. Implementations are safe for concurrent use.
type Sink interface {
	// Write takes one whole line, newline included, in one write; it may keep
	// line after it returned. It returns when ctx ends. An error means that the
	// record may not have been kept; then it may be written again.
	Write(ctx context.Context, line []byte) error
}

// Config configures a Log. The zero value is usable.
type Config struct {
	// Replica names this process in records; empty is left out.
	Replica string
	// Cluster names the cluster that this process belongs to, in records of
	// decisions; empty is left out.
	Cluster string
	// Retry is how long a failing sink is tried again for an enforcing
	// decision, and how long any record may take; zero means 1 s.
	Retry time.Duration
	// Failed is called for each record that could not be written; nil means not
	// observed.
	Failed func()
	// Now is the clock of configuration records; nil means time.Now.
	Now func() time.Time
	// NewID makes the ids of configuration records; nil means ULIDs.
	NewID func(time.Time) string
	// Log receives failures; nil means discarded.
	Log *slog.Logger
}

// Log is a [policy.Decider] that records what the one it wraps decides. It is
// safe for concurrent use.
type Log struct {
	next policy.Decider
	sink Sink
	cfg  Config
	// failure is why the last record was not written; nil, or a nil inside, is
	// that it was.
	failure atomic.Pointer[error]
}

var _ policy.Decider = (*Log)(nil)

// New returns a Log around next. A nil sink records nothing.
func New(next policy.Decider, sink Sink, cfg Config) *Log {
	if cfg.Retry <= 0 {
		cfg.Retry = DefaultRetry
	}
	if cfg.Failed == nil {
		cfg.Failed = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = policy.NewID
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Log{next: next, sink: sink, cfg: cfg}
}

// Decide implements [policy.Decider]. It returns when the record is written, or
// when it cannot be written.
func (l *Log) Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error) {
	decision, err := l.next.Decide(ctx, request, image)
	return l.settle(ctx, request, decision, err)
}

// DecideBlob implements [policy.Decider]; only refusals are recorded.
func (l *Log) DecideBlob(ctx context.Context, request policy.Request, blob oci.Digest) (policy.Decision, error) {
	decision, err := l.next.DecideBlob(ctx, request, blob)
	if err == nil && decision.Verdict.Served() {
		return decision, nil
	}
	return l.settle(ctx, request, decision, err)
}

// Configuration records that a configuration came into force or was refused.
func (l *Log) Configuration(ctx context.Context, revision, message string) error {
	if l.sink == nil {
		return nil
	}
	now := l.cfg.Now()
	line, err := encode(Record{
		Version: Version, Time: now.UTC(), ID: l.cfg.NewID(now), Kind: KindConfiguration,
		Message: message, Revision: revision, Replica: l.cfg.Replica,
	})
	if err == nil {
		err = l.write(ctx, line, true)
	}
	if err != nil {
		l.failed(ctx, "", err)
	}
	return err
}

// Record records a decision that was made elsewhere and that nobody waits for,
// such as a re-verification: one record, tried for as long as an enforcing one.
// What was decided stands, whether it could be recorded or not; the error says
// that it could not.
func (l *Log) Record(ctx context.Context, request policy.Request, d policy.Decision) error {
	if l.sink == nil {
		return nil
	}
	line, err := encode(newRecord(request, d, l.cfg))
	if err == nil {
		err = l.write(ctx, line, true)
	}
	if err != nil {
		l.failed(ctx, d.ID, err)
	}
	return err
}

// Problem returns why the last record could not be written, nil when it was.
func (l *Log) Problem() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// settle records a decision and returns what may be answered.
func (l *Log) settle(ctx context.Context, request policy.Request, d policy.Decision, err error) (policy.Decision, error) {
	if err != nil && d.Verdict.Served() {
		d.Verdict = policy.Unavailable // A served verdict never goes with an error.
	}
	// A client that left got no answer, and an error without a decision decided
	// nothing. What failed by a bug was answered, so it is recorded.
	if l.sink == nil || err != nil && (d.ID == "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return d, err
	}
	enforcing := d.Enforced() || !d.Verdict.Served()
	line, writeErr := encode(newRecord(request, d, l.cfg))
	if writeErr == nil {
		writeErr = l.write(ctx, line, enforcing && err == nil)
	}
	if writeErr == nil {
		return d, err
	}
	l.failed(ctx, d.ID, writeErr)
	if enforcing {
		return unrecorded(d), err
	}
	return d, err
}

// write tries the sink once, or until it takes the line or the time is over. A
// client that leaves does not stop it: the decision was made and is recorded.
func (l *Log) write(ctx context.Context, line []byte, again bool) (failure error) {
	defer func() {
		// Nothing is stored for the usual record behind a good one.
		if failure != nil || l.Problem() != nil {
			l.failure.Store(&failure)
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Retry)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := l.sink.Write(ctx, line)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		if ctx.Err() != nil {
			return err // Both were ready: no further try behind the deadline.
		}
	}
}

// unrecorded is the decision that replaces one whose record could not be
// written.
func unrecorded(d policy.Decision) policy.Decision {
	d.Verdict, d.RetryAfter = policy.Unavailable, policy.RetryAfter
	d.Reasons = append(slices.Clone(d.Reasons), policy.ReasonAuditFailed)
	slices.Sort(d.Reasons)
	d.Message = d.Subject() + ": the decision could not be recorded (" + policy.ReasonAuditFailed + "); try again (decision " + d.ID + ")"
	return d
}

func (l *Log) failed(ctx context.Context, id string, err error) {
	l.cfg.Failed()
	l.cfg.Log.ErrorContext(ctx, "audit record not written", "decision", id, "error", err)
}
