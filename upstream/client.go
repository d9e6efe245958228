package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"vouchsafe/oci"
)

// Config configures a Client. The zero value is usable.
type Config struct {
	// UserAgent is sent with every request; empty means "vouchsafe".
	UserAgent string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observe is called after each request at the upstream's door, token
	// requests and redirects included, with the status or 0; nil means not
	// observed.
	Observe func(registry string, status int, took time.Duration)
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
	observe   func(registry string, status int, took time.Duration)
	log       *slog.Logger
	// whole counts against wholeBytes.
	whole      budget
	wholeBytes int64
}

// New returns a Client for the registries that lookup knows at the time of each
// request.
func New(lookup func(registry string) (*Registry, bool), cfg Config) *Client {
	c := &Client{lookup: lookup, userAgent: cfg.UserAgent, now: cfg.Now, observe: cfg.Observe, log: cfg.Log, wholeBytes: cfg.WholeBytes}
	if c.userAgent == "" {
		c.userAgent = "vouchsafe"
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.observe == nil {
		c.observe = func(string, int, time.Duration) {}
	}
	if c.wholeBytes <= 0 {
		c.wholeBytes = defaultWholeBytes
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

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
