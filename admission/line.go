package admission

import (
	"context"
	"log/slog"
	"time"
)

// logLine is what the log says about one review.
type logLine struct {
	path string
	// uid is empty until it was read.
	uid       string
	review    *review
	verdict   string
	decisions []string
}

// write logs the review: what failed here as an error, what was done at info, the
// rest at debug.
func (l *logLine) write(ctx context.Context, log *slog.Logger, status int, took time.Duration, err error) {
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelError
	case l.verdict == untouched:
		level = slog.LevelDebug
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("path", l.path), slog.Int("status", status), slog.String("verdict", l.verdict), slog.Duration("took", took),
	}
	if v := l.review; v != nil {
		attributes = append(
			attributes, slog.String("uid", v.UID), slog.String("kind", v.Kind.Kind), slog.String("namespace", v.Namespace),
			slog.String("name", v.Name), slog.String("operation", v.Operation), slog.String("subresource", v.SubResource), slog.Bool("dryRun", v.DryRun),
		)
	}
	if len(l.decisions) > 0 {
		attributes = append(attributes, slog.Any("decisions", l.decisions))
	}
	if err != nil {
		attributes = append(attributes, slog.Any("error", err))
	}
	log.LogAttrs(ctx, level, "review", attributes...)
}
