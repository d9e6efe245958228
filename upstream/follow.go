package upstream

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxRedirects is how many hops behind the first request are followed.
	maxRedirects = 5
	// smallBodyTime bounds everything but blobs, from the request to the last
	// byte read, so that one byte every few seconds holds nothing open.
	smallBodyTime = time.Minute
)

// door is one client's way to one registry.
type door struct {
	client   *Client
	registry *Registry
}

// request is one request under our rules, before redirects.
type request struct {
	// what names the operation and its object in messages.
	what   string
	method string
	url    *url.URL
	header http.Header
	// authorization is sent to the origin of url alone; may be zero.
	authorization Secret
	// form is the body of a POST; nil for GET and HEAD. Such a request is never
	// redirected: its body holds a password.
	form []byte
	// total bounds the whole, body included; zero means not, for blobs.
	total time.Duration
	// stopAt303 hands a 303 back as it is.
	stopAt303 bool
	transport http.RoundTripper
	// retries counts how often it was sent again, all hops together.
	retries int
	// waited is how long it waited for the ends of pauses, all hops together.
	waited time.Duration
}

// follow sends q, hop by hop, until an answer is no redirect. Each hop has the
// same dialer, the same deadlines and the same headers; only Authorization goes
// when scheme, host or port change, and never comes back, also when a later hop
// is at the first origin again. The caller ends the answer.
func (d door) follow(ctx context.Context, q *request) (*answer, error) {
	q.retries, q.waited = 0, 0
	if d.client.tracer == nil {
		return d.hops(ctx, q)
	}
	return d.traced(ctx, q)
}

func (d door) hops(ctx context.Context, q *request) (*answer, error) {
	running, end := q.bounded(ctx)
	seen := map[string]bool{}
	home, at := true, q.url
	for hop := 0; ; hop++ {
		seen[at.String()] = true
		a, err := d.hop(attempt{ //nolint:contextcheck // the attempt carries both of its contexts
			caller: ctx, running: running, end: end, request: q, at: at, home: home,
		})
		if err != nil {
			end(nil)
			return nil, err
		}
		a.url, a.home = at, home
		if !isRedirect(a.status) || q.stopAt303 && a.status == http.StatusSeeOther {
			return a, nil
		}
		next, err := q.redirect(a, hop, seen)
		if err != nil {
			_ = a.Close()
			return nil, err
		}
		a.skim()
		home = home && originOf(next) == originOf(q.url)
		at = next
	}
}

// bounded returns a context for the whole of q, with its deadline if it has one,
// and what ends it.
func (q *request) bounded(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	if q.total == 0 {
		return context.WithCancelCause(ctx)
	}
	timed, stop := context.WithTimeoutCause(ctx, q.total, errTotal)
	running, cancel := context.WithCancelCause(timed)
	return running, func(cause error) { cancel(cause); stop() }
}

// redirect returns where the redirect a leads, or why it is not followed.
func (q *request) redirect(a *answer, hop int, seen map[string]bool) (*url.URL, error) {
	refuse := func(format string, args ...any) (*url.URL, error) {
		return nil, trouble(reasonRedirect, q.what, "redirect refused: "+format, args...)
	}
	if q.form != nil {
		return refuse("a form with credentials goes to one place only")
	}
	if hop == maxRedirects {
		return refuse("more than %d hops", maxRedirects)
	}
	values := a.header.Values("Location")
	if len(values) != 1 || values[0] == "" {
		return refuse("%d targets", len(values))
	}
	location, err := url.Parse(values[0])
	if err != nil {
		return refuse("the target is no URL")
	}
	next := a.url.ResolveReference(location)
	next.Fragment, next.RawFragment = "", ""
	switch {
	case next.Scheme != "https" && next.Scheme != "http", next.Opaque != "", next.Hostname() == "", !usablePort(next.Port()):
		return refuse("the target is no http or https URL")
	case next.Scheme == "http" && a.url.Scheme == "https":
		return refuse("from https to http")
	case next.User != nil:
		return refuse("the target holds a user name")
	case seen[next.String()]:
		return refuse("a loop")
	}
	return next, nil
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}
