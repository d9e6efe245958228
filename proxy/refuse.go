package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// defaultRetryAfter is told when a refusal for now does not say how long.
const defaultRetryAfter = 5 * time.Second

// refusal is the machine-readable part of a refusal.
type refusal struct {
	Decision string           `json:"decision"`
	Policies []policy.Outcome `json:"policies"`
	Reasons  []string         `json:"reasons"`
}

// contentHeaders are set for content and must not stay on a refusal.
var contentHeaders = []string{
	"Accept-Ranges", "Age", "Content-Length", "Content-Range", "Docker-Content-Digest", "Etag", "Link", "OCI-Filters-Applied",
}

// refuse is the one place where an error becomes an answer. Once a byte has left
// there is no answer any more: the connection is cut, so that a broken body
// never ends clean.
func (h *Handler) refuse(ctx context.Context, x *exchange, err error) {
	if x.status != 0 {
		x.abort = true
		return
	}
	known := x.classify(ctx, err)
	header := x.Header()
	for _, name := range contentHeaders {
		header.Del(name)
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	if known.Code == oci.CodeBusy || known.Code == oci.CodeUndecided {
		header.Set("Retry-After", retryAfter(known.RetryAfter))
	}
	if known.Code == oci.CodeUnauthenticated {
		header.Set("WWW-Authenticate", challenge)
	}
	body, err := json.Marshal(oci.WireErrors(known))
	if err != nil {
		body = []byte(`{"errors":[{"code":"UNKNOWN","message":"internal error"}]}`)
	}
	if err := x.send(known.Code.Status(), body); err != nil {
		x.abort = true
	}
}

// classify gives every error its class. An error that nobody classed is an
// internal one, and its text stays in the log.
func (x *exchange) classify(ctx context.Context, err error) *oci.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		// Nobody is there to read it, but an empty 200 would be the server's
		// answer to a handler that says nothing.
		x.gone = true
		return &oci.Error{Code: oci.CodeUndecided, Message: "the request was cancelled", Err: err}
	}
	if known, ok := errors.AsType[*oci.Error](err); ok {
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &oci.Error{Code: oci.CodeTimeout, Message: "no decision in time", Err: err}
	}
	return &oci.Error{Code: oci.CodeInternal, Message: "internal error", Err: err}
}

// retryAfter is d in whole seconds, rounded up (RFC 9110, section 10.2.3).
func retryAfter(d time.Duration) string {
	if d <= 0 {
		d = defaultRetryAfter
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// refused is the error for a decision that does not serve, nil for one that
// does. A verdict that is none is a denial.
func refused(d policy.Decision) error {
	if d.Verdict.Served() {
		return nil
	}
	e := &oci.Error{
		Code: oci.CodeDenied, Message: d.Message,
		// Both lists are lists for programs that read them, also when empty.
		Detail: refusal{Decision: d.ID, Policies: append([]policy.Outcome{}, d.Policies...), Reasons: append([]string{}, d.Reasons...)},
	}
	if d.Verdict == policy.Unavailable {
		e.Code, e.RetryAfter = oci.CodeUndecided, d.RetryAfter
	}
	return e
}
