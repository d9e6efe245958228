// Package audit writes a record of every decision before its answer leaves.
//
// [Log] wraps a [policy.Decider]. A record that cannot be written turns the
// decision of an enforcing policy into Unavailable after a second of tries; a
// decision that only informs is served and the failure counted.
//
// Trust: names, user agents and request ids in a record are a client's own
// text; JSON escaping keeps each record one line. No credential is ever part of
// a record.
package audit

import (
	"context"
	"io"
	"log/slog"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Sink takes records. Implementations are safe for concurrent use.
type Sink interface {
	// Write takes one whole line, newline included, in one write. An error
	// means that the record may not have been kept.
	Write(ctx context.Context, line []byte) error
}

// Config configures a Log. The zero value is usable.
type Config struct {
	// Replica names this process in records; empty is left out.
	Replica string
	// Retry is how long a failing sink is tried again for an enforcing
	// decision; zero means 1 s.
	Retry time.Duration
	// Failed is called for each record that could not be written; nil means not
	// observed.
	Failed func()
	// Log receives failures; nil means discarded.
	Log *slog.Logger
}

// Log is a [policy.Decider] that records what the one it wraps decides.
type Log struct{}

var _ policy.Decider = (*Log)(nil)

// New returns a Log around next. A nil sink records nothing.
func New(next policy.Decider, sink Sink, cfg Config) *Log { panic("not built yet") }

// Decide implements [policy.Decider].
func (l *Log) Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error) {
	panic("not built yet")
}

// DecideBlob implements [policy.Decider]; only refusals are recorded.
func (l *Log) DecideBlob(ctx context.Context, request policy.Request, blob oci.Digest) (policy.Decision, error) {
	panic("not built yet")
}

// Configuration records that a configuration came into force or was refused.
func (l *Log) Configuration(ctx context.Context, revision, message string) error {
	panic("not built yet")
}

// WriterSink is a [Sink] over an [io.Writer], one line at a time.
type WriterSink struct{}

// NewWriterSink returns a sink that writes to w.
func NewWriterSink(w io.Writer) *WriterSink { panic("not built yet") }

// Write implements [Sink].
func (s *WriterSink) Write(ctx context.Context, line []byte) error { panic("not built yet") }
