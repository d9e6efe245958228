package admission

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/sync/semaphore"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Resolver turns a name into an image; see package content.
type Resolver interface {
	// Resolve returns the image with its bytes hashed here. Errors are [oci.Error]
	// values or wrap ctx's own.
	Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error)
	// Known returns what Resolve would answer without asking anybody.
	Known(ref oci.Reference) (oci.Image, bool)
}

// Decider judges an image; see [policy.Decider].
type Decider interface {
	// Decide never returns a served verdict with an error.
	Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error)
}

// Config configures a Handler.
type Config struct {
	// PullHost is the host, and port, by which nodes reach the gateway: images are
	// rewritten to it. Empty means that nothing is rewritten or pinned.
	PullHost string
	// DefaultRegistry is for names below PullHost without a registry; empty means
	// docker.io.
	DefaultRegistry string
	// Pin adds the digest to a tag that is rewritten, where the tag's resolution
	// and the verdict are known already.
	Pin bool
	// ContactRegistries lets validation ask registries. False judges by what is
	// known; what is not known is allowed where the pull goes through the gateway,
	// which will judge it.
	ContactRegistries bool
	// Listed reports whether a registry may be pulled from. Required.
	Listed func(registry string) bool
	// Enforces reports whether anything in force could refuse an image: then what
	// cannot be judged is refused, else allowed with a warning. Nil means that it
	// could.
	Enforces func() bool
	// Revision returns the revision in force. Required.
	Revision func() string
	// TraceID returns the id of the gateway's own trace of a request, empty for
	// none; nil means that there is no tracing.
	TraceID func(ctx context.Context) string
	// Observe is called once per review: for /validate with the worst verdict of
	// its images ("Allow", "Warn", "Deny", "Unavailable"), for /mutate with
	// "Rewritten", else with "Untouched" when there was nothing to do and "Error"
	// when it could not be answered; nil means not observed.
	Observe func(verdict string)
	// Log receives one line per review; nil means discarded.
	Log *slog.Logger
}

// statusLeft is for the log: the client left before its answer.
const statusLeft = 499

// What [Config.Observe] is told beside verdicts.
const (
	rewritten = "Rewritten"
	untouched = "Untouched"
	failed    = "Error"
)

// Handler answers POST /mutate and POST /validate. It is safe for concurrent use.
type Handler struct {
	resolver   Resolver
	decider    Decider
	unrecorded Decider
	names      naming
	lookups    *lookups
	bodies     *semaphore.Weighted
	large      *semaphore.Weighted
	cfg        Config
}

// New returns the handler. decider judges what is to be remembered and recorded;
// unrecorded judges, without either, what is asked in a dry run, before a digest is
// pinned, and behind an answer that came too late.
func New(resolver Resolver, decider, unrecorded Decider, cfg Config) *Handler {
	if cfg.TraceID == nil {
		cfg.TraceID = func(context.Context) string { return "" }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string) {}
	}
	if cfg.Enforces == nil {
		cfg.Enforces = func() bool { return true }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{
		resolver: resolver, decider: decider, unrecorded: unrecorded,
		names:  newNaming(cfg.PullHost, cfg.DefaultRegistry),
		bodies: semaphore.NewWeighted(maxBodies), large: semaphore.NewWeighted(maxLarge), cfg: cfg,
	}
	h.lookups = newLookups(resolver, h.judgeBehind, cfg.Log)
	return h
}

// Close ends the look-ups that go on behind answers and waits for them.
func (h *Handler) Close() { h.lookups.close() }

// httpError is why a review was not judged; see [Handler.unjudged].
type httpError struct {
	status  int
	message string
}

func (e *httpError) Error() string { return e.message }

func refuse(status int, format string, args ...any) error {
	return &httpError{status: status, message: fmt.Sprintf(format, args...)}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	ctx := r.Context()
	entry := &logLine{path: r.URL.Path, verdict: failed}
	var body []byte
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		body, err = h.serve(w, r, begin, entry)
		return err
	}()
	status, sent, media := http.StatusOK, http.StatusOK, jsonType
	if err != nil {
		entry.verdict = failed
		why := known(err)
		status = why.status
		if body = h.unjudged(r.URL.Path, entry.uid, why); body == nil {
			sent, media, body = status, "text/plain; charset=utf-8", []byte(why.message+"\n")
		}
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(sent)
	_, _ = w.Write(body) // A client that left is not told.
	if ctx.Err() != nil {
		status = statusLeft
	}
	h.cfg.Observe(entry.verdict)
	entry.write(ctx, h.cfg.Log, status, time.Since(begin), err)
}

// serve answers one review.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, begin time.Time, entry *logLine) ([]byte, error) {
	var act func(context.Context, *review, *logLine) (response, error)
	switch r.URL.Path {
	case "/mutate":
		act = h.mutate
	case "/validate":
		act = h.validate
	default:
		return nil, refuse(http.StatusNotFound, "no such page: reviews are posted to /mutate and /validate")
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuse(http.StatusMethodNotAllowed, "reviews are posted")
	}
	limits := limitsOf(r, begin)
	ctx, cancel := context.WithDeadline(r.Context(), limits.judged)
	defer cancel()
	if err := isJSON(r); err != nil {
		return nil, err
	}
	v, release, err := h.read(ctx, w, r, limits.judged, entry)
	defer release()
	if err != nil {
		return nil, err
	}
	entry.review = v
	v.limits, v.client = limits, h.client(r, v)
	answer := response{UID: v.UID, Allowed: true}
	if v.judged() {
		if answer, err = act(ctx, v, entry); err != nil {
			return nil, err
		}
	} else {
		entry.verdict = untouched
	}
	return encode(answer)
}
