// Package proxy is the registry side of the gateway, /v2/: it parses a request
// once, resolves it to bytes, asks for a decision, and streams or refuses.
//
// Handlers return errors; one place maps them to the wire. No decision is made
// here.
//
// Trust: a client may name anything; only listed registries are ever asked. The
// bytes of a manifest answer are those that the decision was made about, and a
// decision under an older revision than the one in force is made again before
// the first byte. No header of a client changes who it is, which method it used
// or what it asked for.
//
// Limits: a path has at most 1024 bytes, a page of tags at most 1000 names, and
// a client that takes less than 64 KiB of an answer in a minute is cut off. An
// answer that breaks is cut off too, whichever protocol carries it, and never
// ends as if it were whole.
package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// Resolver turns a name into an image; see package content.
type Resolver interface {
	// Resolve returns the image with its bytes hashed here.
	Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error)
}

// Blobs is where blobs come from; see package content.
type Blobs interface {
	// OpenBlob opens a blob or the part that byteRange asks for; the caller
	// closes it.
	OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*oci.Blob, error)
	// HeadBlob returns a blob's size, -1 when not known.
	HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error)
}

// Lists is what is passed through without being judged; see package upstream.
type Lists interface {
	// Tags returns one page of tags and whether there are more.
	Tags(ctx context.Context, repository oci.Repository, n int, last string) (tags []string, more bool, err error)
	// ReferrersIndex returns an image index of the referrers.
	ReferrersIndex(ctx context.Context, repository oci.Repository, subject oci.Digest, artifactType string) ([]byte, error)
}

// Config configures a Handler.
type Config struct {
	// DefaultRegistry is for names without a registry; empty means docker.io.
	DefaultRegistry string
	// PullHost is the host by which nodes reach the gateway; an "ns" equal to
	// it counts as absent. May be empty.
	PullHost string
	// Listed reports whether a registry may be pulled from. Required.
	Listed func(registry string) bool
	// Revision returns the revision in force. Required.
	Revision func() string
	// Tokens returns those of which each request must present one; a nil function
	// demands none. A function that returns nil lets nobody in.
	Tokens func() *Tokens
	// Timeout bounds resolve and decide; zero means 25 s.
	Timeout time.Duration
	// Stall is how long a client may take for 64 KiB of an answer; zero means a
	// minute.
	Stall time.Duration
	// TraceID returns the id of the gateway's own trace of a request, empty for
	// none; nil means that there is no tracing.
	TraceID func(ctx context.Context) string
	// Observe is called once per request with the kind of operation, the status
	// and how long it took; nil means not observed. The kinds are "ping",
	// "manifest", "blob", "tags", "referrers" and "other"; the status is 499 for
	// a client that left before its answer.
	Observe func(op string, status int, took time.Duration)
	// Log receives one line per request; nil means discarded.
	Log *slog.Logger
}

const (
	defaultTimeout = 25 * time.Second
	defaultStall   = time.Minute
)

var errSilent = errors.New("the handler ended without an answer")

// Handler answers /v2/. It is safe for concurrent use. It must not stand behind
// a multiplexer that cleans paths: it sees each path as the client wrote it.
type Handler struct {
	resolver Resolver
	blobs    Blobs
	lists    Lists
	decider  policy.Decider
	names    naming
	cfg      Config
	holding  holding
}

// New returns the handler.
func New(resolver Resolver, blobs Blobs, lists Lists, decider policy.Decider, cfg Config) *Handler {
	if cfg.DefaultRegistry == "" {
		cfg.DefaultRegistry = oci.DockerHub
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Stall <= 0 {
		cfg.Stall = defaultStall
	}
	if cfg.TraceID == nil {
		cfg.TraceID = func(context.Context) string { return "" }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, int, time.Duration) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{
		resolver: resolver,
		blobs:    blobs,
		lists:    lists,
		decider:  decider,
		names:    naming{fallback: sameHost(cfg.DefaultRegistry), own: sameHost(cfg.PullHost), listed: cfg.Listed},
		cfg:      cfg,
	}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, x := r.Context(), h.newExchange(w, r)
	defer h.finish(ctx, x)
	x.traceID = h.cfg.TraceID(ctx)
	x.err = h.serve(ctx, x)
	if x.err == nil && x.status == 0 {
		x.err = errSilent // else the server would answer an empty 200
	}
	if x.err != nil {
		h.refuse(ctx, x, x.err)
	}
}

// serve is the one road of a request. What may not be written, and who may not
// ask, is refused before a name is even looked at.
func (h *Handler) serve(ctx context.Context, x *exchange) error {
	path := x.r.URL.EscapedPath() // as sent: an encoded slash is not a slash
	if path != "/v2" && !strings.HasPrefix(path, "/v2/") {
		return &oci.Error{Code: oci.CodeNameUnknown, Message: "no such page; the registry is under /v2/"}
	}
	header := x.Header()
	header.Set("Docker-Distribution-API-Version", "registry/2.0")
	header.Set("X-Content-Type-Options", "nosniff")
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		return &oci.Error{Code: oci.CodeUnsupported, Message: "the gateway is read-only"}
	}
	if err := h.authenticate(x); err != nil {
		return err
	}
	ask, err := h.names.parse(path, x.r.URL.RawQuery)
	x.ask = ask
	if err != nil {
		return err
	}
	switch ask.op {
	case opPing:
		return servePing(x)
	case opManifest:
		return h.serveManifest(ctx, x)
	case opBlob:
		return h.serveBlob(ctx, x)
	case opTags:
		return h.serveTags(ctx, x)
	case opReferrers:
		return h.serveReferrers(ctx, x)
	case opOther:
	}
	return errNoRoute()
}

// servePing answers the version check (OCI distribution specification 1.1,
// "Determining Support").
func servePing(x *exchange) error {
	x.Header().Set("Content-Type", "application/json")
	return x.send(http.StatusOK, []byte("{}"))
}
