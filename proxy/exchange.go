package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// statusGone is what is recorded for a client that left before its answer.
const statusGone = 499

// exchange is one request and what became of it. It counts what is written.
type exchange struct {
	http.ResponseWriter
	r       *http.Request
	started time.Time
	// stall is how long each write may take.
	stall time.Duration

	// traceID is of the gateway's own trace; may be empty.
	traceID string
	// user is the name behind the client token; empty when none was demanded.
	user     string
	ask      request
	decision policy.Decision
	err      error
	// status is what was sent, zero before the first byte.
	status int
	sent   int64
	// gone is true for a client that left.
	gone bool
	// abort is true when the connection must end without a clean end.
	abort bool
}

func (h *Handler) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{ResponseWriter: w, r: r, started: time.Now(), stall: h.cfg.Stall}
}

// Unwrap serves [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (x *exchange) WriteHeader(status int) {
	x.status = status
	x.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter]. Each write has its own deadline, since
// a deadline over the whole answer would cut a large blob to a slow client.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	// Not every writer has deadlines; those of a server do.
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(x.stall))
	n, err := x.ResponseWriter.Write(b)
	x.sent += int64(n)
	return n, err
}

// send answers with body; a HEAD gets the same headers without it.
func (x *exchange) send(status int, body []byte) error {
	x.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	for piece := range slices.Chunk(body, bufferBytes) {
		if _, err := x.Write(piece); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
	return nil
}

// client is who asks, as far as the connection itself tells. Forwarded-For and
// its kind are a client's own words and are not read.
func (x *exchange) client() policy.Client {
	return policy.Client{
		IP:        clientIP(x.r.RemoteAddr),
		UserAgent: cut(x.r.UserAgent(), 256),
		User:      x.user,
		RequestID: cut(x.r.Header.Get("X-Request-Id"), 128),
		TraceID:   x.traceID,
	}
}

func clientIP(remote string) string {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return ""
	}
	return addr.Addr().Unmap().WithZone("").String()
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// question is what the decider is asked.
func (x *exchange) question() policy.Request {
	return policy.Request{Kind: policy.KindPull, Verb: x.r.Method, Reference: x.ask.ref, Client: x.client()}
}

// finish runs last, deferred: it turns a panic into a refusal, counts, logs, and
// cuts off an answer that broke.
func (h *Handler) finish(ctx context.Context, x *exchange) {
	if p := recover(); p != nil {
		x.err = &oci.Error{
			Code: oci.CodeInternal, Message: "internal error",
			Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack()),
		}
		h.refuse(ctx, x, x.err)
	}
	status := x.status
	if x.gone {
		status = statusGone
	}
	took := time.Since(x.started)
	h.cfg.Observe(x.ask.op.String(), status, took)
	h.log(ctx, x, status, took)
	if x.abort {
		panic(http.ErrAbortHandler)
	}
}

// log writes the one line of a request.
func (h *Handler) log(ctx context.Context, x *exchange, status int, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case x.ask.op == opBlob && x.err == nil:
		level = slog.LevelDebug
	}
	if !h.cfg.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", x.ask.op.String()),
		slog.String("verb", cut(x.r.Method, 16)),
		slog.Int("status", status),
		slog.Int64("bytes", x.sent),
		slog.Float64("durationMs", float64(took.Microseconds())/1000),
		slog.String("client", clientIP(x.r.RemoteAddr)),
	}
	if x.user != "" {
		attrs = append(attrs, slog.String("user", x.user))
	}
	if x.ask.ref.Repository.Path != "" {
		attrs = append(attrs, slog.String("image", x.ask.ref.String()))
	}
	if x.decision.ID != "" {
		attrs = append(attrs, slog.String("decision", x.decision.ID), slog.String("verdict", x.decision.Verdict.String()))
	}
	if id := x.r.Header.Get("X-Request-Id"); id != "" {
		attrs = append(attrs, slog.String("requestID", cut(id, 128)))
	}
	if x.traceID != "" {
		attrs = append(attrs, slog.String("traceID", x.traceID))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	h.cfg.Log.LogAttrs(ctx, level, "request", attrs...)
}
