package inventory

import (
	"context"
	"log/slog"
	"strings"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// tell records, counts and logs the changes of one image, and reports whether the
// record was written. A record that was not is written at the next try, and told
// then.
func (r *Reverifier) tell(ctx context.Context, request policy.Request, decision policy.Decision, l learned) bool {
	decision.Results = l.results
	decision.Message = message(decision, l.changes)
	// What was found out is told although the gateway may be about to end.
	ctx = context.WithoutCancel(ctx)
	if err := r.records.Record(ctx, request, decision); err != nil {
		return false
	}
	for _, c := range l.changes {
		r.cfg.Changed(c.integration, c.from, c.to)
		level := slog.LevelInfo
		if c.from == verify.Verified {
			level = slog.LevelWarn
		}
		r.cfg.Log.Log(ctx, level, "status changed",
			"image", decision.Image.String(), "integration", c.integration, "from", c.from.String(), "to", c.to.String(),
			"reason", string(c.reason), "verdict", decision.Verdict.String(), "decision", decision.ID)
	}
	return true
}

// message says in one line what changed. What does not fit is left out, at the
// end.
func message(d policy.Decision, changes []change) string {
	end := " (decision " + d.ID + ")"
	var line strings.Builder
	line.WriteString(oci.Reference{Repository: d.Image.Repository, Digest: d.Image.Digest}.String())
	for i, c := range changes {
		text := ": "
		if i > 0 {
			text = "; "
		}
		text += c.integration + " was " + c.from.String() + ", now " + c.to.String()
		if c.reason != "" {
			text += " (" + string(c.reason) + ")"
		}
		const more = "; …"
		if line.Len()+len(text)+len(more)+len(end) > policy.MaxMessage {
			line.WriteString(more)
			break
		}
		line.WriteString(text)
	}
	return line.String() + end
}
