package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
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
}

// follow sends q, hop by hop, until an answer is no redirect. Each hop has the
// same dialer, the same deadlines and the same headers; only Authorization goes
// when scheme, host or port change, and never comes back, also when a later hop
// is at the first origin again. The caller ends the answer.
func (d door) follow(ctx context.Context, q *request) (*answer, error) {
	running, end := context.WithCancelCause(ctx)
	if q.total > 0 {
		cancel := end
		timer := time.AfterFunc(q.total, func() { cancel(errTotal) })
		end = func(cause error) { timer.Stop(); cancel(cause) }
	}
	seen := map[string]bool{}
	home, at := true, q.url
	for hop := 0; ; hop++ {
		seen[at.String()] = true
		resp, err := d.send(ctx, running, q, at, home) //nolint:bodyclose // the answer closes it
		if err != nil {
			end(nil)
			return nil, err
		}
		a := d.answer(ctx, running, end, q.what, resp)
		a.url, a.home = at, home
		if !isRedirect(resp.StatusCode) || q.stopAt303 && resp.StatusCode == http.StatusSeeOther {
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

// send makes one hop.
func (d door) send(caller, running context.Context, q *request, at *url.URL, home bool) (*http.Response, error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	var body io.Reader
	if q.form != nil {
		body = bytes.NewReader(q.form)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(running, trace), q.method, at.String(), body)
	if err != nil {
		return nil, trouble(reasonConnect, q.what, "the request cannot be written")
	}
	req.Header = q.header.Clone()
	req.Header.Set("User-Agent", d.client.userAgent)
	// Content is named by its digest, so by its bytes as they are.
	req.Header.Set("Accept-Encoding", "identity")
	if home && !q.authorization.IsZero() {
		req.Header.Set("Authorization", q.authorization.Reveal())
	}
	start := d.client.now()
	resp, err := q.transport.RoundTrip(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	d.client.observe(d.registry.name, status, d.client.now().Sub(start))
	if err != nil {
		reason := reasonConnect
		if connected.Load() {
			reason = reasonHeader
		}
		return nil, transportFailure(caller, running, q.what, reason, err)
	}
	return resp, nil
}
