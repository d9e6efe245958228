package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"

	"vouchsafe/oci"
)

// Config configures a Client. The zero value is usable.
type Config struct {
	// UserAgent is sent with every request; empty means "vouchsafe".
	UserAgent string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits until d has passed or ctx has ended, then with its error; nil
	// means a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Rand returns a number from 0 to below 1, for the parts of pauses that chance
	// decides; nil means random.
	Rand func() float64
	// Observe is called after each request at the upstream's door, token
	// requests, redirects and retries included, with the status or 0; nil means
	// not observed.
	Observe func(registry string, status int, took time.Duration)
	// Retried is called before each request that is sent again, and before each
	// that asks for the rest of a blob; nil means not observed.
	Retried func(registry string)
	// Corrupt is called for each answer whose bytes are not what its digest says;
	// nil means not observed. It must not block.
	Corrupt func(registry string)
	// Tracer makes one span for each request, its redirects and retries included;
	// nil means none.
	Tracer trace.Tracer
	// Egress are the operator's proxies; nil means that everything is asked
	// directly.
	Egress *Egress
	// Log receives what is not told to clients; nil means discarded.
	Log *slog.Logger
	// WholeBytes bounds what all bodies that are read whole (manifests, small
	// blobs, tokens, lists) may hold together beyond the first 32 KiB of each,
	// two thirds of it for one registry; zero means 96 MiB. What finds no room
	// is CodeBusy with Reason "memory".
	WholeBytes int64
}

// Client reads from listed registries. All errors are [oci.Error] values or
// wrap the context's error. It is safe for concurrent use.
type Client struct {
	lookup    func(registry string) (*Registry, bool)
	userAgent string
	now       func() time.Time
	sleep     func(ctx context.Context, d time.Duration) error
	rand      func() float64
	observe   func(registry string, status int, took time.Duration)
	retried   func(registry string)
	// corrupt and tracer may be nil.
	corrupt func(registry string)
	tracer  trace.Tracer
	egress  *Egress
	log     *slog.Logger
	// whole counts against wholeBytes.
	whole      budget
	wholeBytes int64
}

// New returns a Client for the registries that lookup knows at the time of each
// request.
func New(lookup func(registry string) (*Registry, bool), cfg Config) *Client {
	c := &Client{
		lookup: lookup, userAgent: cfg.UserAgent, now: cfg.Now, sleep: cfg.Sleep, rand: cfg.Rand, observe: cfg.Observe,
		retried: cfg.Retried, corrupt: cfg.Corrupt, tracer: cfg.Tracer, egress: cfg.Egress, log: cfg.Log,
		wholeBytes: cfg.WholeBytes,
	}
	if c.userAgent == "" {
		c.userAgent = "vouchsafe"
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	if c.rand == nil {
		c.rand = rand.Float64
	}
	if c.observe == nil {
		c.observe = func(string, int, time.Duration) {}
	}
	if c.retried == nil {
		c.retried = func(string) {}
	}
	if c.wholeBytes <= 0 {
		c.wholeBytes = defaultWholeBytes
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// sleep waits until d has passed or ctx has ended.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// chance is a random part of d.
func (c *Client) chance(d time.Duration) time.Duration { return time.Duration(c.rand() * float64(d)) }

// jittered is d and up to as much again.
func (c *Client) jittered(d time.Duration) time.Duration { return d + c.chance(d) }

// operation is one question about a repository.
type operation struct {
	repository oci.Repository
	// what names the operation and its object in messages.
	what   string
	method string
	// path is behind /v2/<repository>/, its parts already checked.
	path  string
	query url.Values
	// next replaces path and query by a page that the registry named.
	next      *url.URL
	accept    string
	byteRange string
	// ifRange is the validator under which byteRange holds; may be empty.
	ifRange   string
	total     time.Duration
	stopAt303 bool
}

// ask performs op: listed, named well, authorized, redirected. A success that
// is content-encoded is an error. The caller ends the answer.
func (c *Client) ask(ctx context.Context, op operation) (*answer, error) {
	registry, ok := c.lookup(op.repository.Registry)
	if !ok {
		return nil, &oci.Error{
			Code: oci.CodeNotListed, Reason: "registry_not_listed",
			Message: fmt.Sprintf("no Registry document named %s", op.repository.Registry),
		}
	}
	// A Repository can be built without its parser, and its path becomes part
	// of a URL.
	if err := oci.CheckPath(op.repository.Path); err != nil {
		return nil, &oci.Error{Code: oci.CodeNameInvalid, Message: err.Error()}
	}
	q := &request{
		what: op.what, method: op.method, url: op.next, header: http.Header{},
		total: op.total, stopAt303: op.stopAt303, transport: registry.data,
	}
	if q.url == nil {
		q.url = registry.url(op)
	}
	if op.accept != "" {
		q.header.Set("Accept", op.accept)
	}
	if op.byteRange != "" {
		q.header.Set("Range", op.byteRange)
	}
	if op.ifRange != "" {
		q.header.Set("If-Range", op.ifRange)
	}
	a, err := door{client: c, registry: registry}.authorized(ctx, q, op.repository)
	if err != nil {
		return nil, err
	}
	if isSuccess(a.status) {
		if err := a.plain(op.what); err != nil {
			_ = a.Close()
			return nil, err
		}
	}
	return a, nil
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// url returns the endpoint's URL for op.
func (r *Registry) url(op operation) *url.URL {
	u := *r.endpoint
	u.Path += "/v2/" + op.repository.Path + "/" + op.path
	u.RawQuery = op.query.Encode()
	return &u
}
