// Package proxy is the registry side of the gateway, /v2/: it parses a request
// once, resolves it to bytes, asks for a decision, and streams or refuses.
//
// Handlers return errors; one place maps them to the wire. No decision is made
// here.
//
// Trust: a client may name anything; only listed registries are ever asked. The
// bytes of a manifest answer are those that the decision was made about, and a
// decision under an older revision than the one in force is made again before
// the first byte.
package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
)

// Resolver turns a name into an image; see package content.
type Resolver interface {
	// Resolve returns the image with its bytes hashed here.
	Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error)
}

// Upstream is what is passed through without being judged; see package upstream.
type Upstream interface {
	// OpenBlob opens a blob or the part that byteRange asks for; the caller
	// closes it.
	OpenBlob(ctx context.Context, repository oci.Repository, digest oci.Digest, byteRange string) (*upstream.Blob, error)
	// HeadBlob returns a blob's size, -1 when not known.
	HeadBlob(ctx context.Context, repository oci.Repository, digest oci.Digest) (int64, error)
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
	// Timeout bounds resolve and decide; zero means 25 s.
	Timeout time.Duration
	// Observe is called once per request with the kind of operation, the status
	// and how long it took; nil means not observed.
	Observe func(op string, status int, took time.Duration)
	// Log receives one line per request; nil means discarded.
	Log *slog.Logger
}

// Handler answers /v2/.
type Handler struct{}

// New returns the handler.
func New(resolver Resolver, up Upstream, decider policy.Decider, cfg Config) *Handler {
	panic("not built yet")
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not built yet") }
