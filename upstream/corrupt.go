package upstream

import (
	"context"
	"log/slog"
)

// suspiciousAfter is how many answers with wrong bytes make a registry
// suspicious: one may be a bad disk or a proxy on the way, more are no accident.
const suspiciousAfter = 3

// corrupted counts an answer of r whose bytes are not what its digest says. It
// goes to the log, since clients only see a download that broke off.
func (c *Client) corrupted(ctx context.Context, r *Registry, what string) {
	n := r.corrupt.Add(1)
	c.log.WarnContext(ctx, "registry sent other bytes than the digest says",
		slog.String("registry", r.name), slog.String("what", what),
		slog.Int64("count", n), slog.Bool("suspicious", n >= suspiciousAfter))
	if c.corrupt != nil {
		c.corrupt(r.name)
	}
}
