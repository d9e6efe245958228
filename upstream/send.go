package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"vouchsafe/oci"
)

// attempt is one hop of a request, sent once or again.
type attempt struct {
	// caller is the context of whoever asked, running the request's own.
	caller, running context.Context
	end             context.CancelCauseFunc
	request         *request
	at              *url.URL
	// home is true where the request's Authorization belongs.
	home bool
}

// failure gives an error of the attempt its class.
func (t attempt) failure(reason string, err error) error {
	if _, ours := errors.AsType[*oci.Error](err); ours {
		return err
	}
	return transportFailure(t.caller, t.running, t.request.what, reason, err)
}

// send makes one hop once. connected is false when no connection stood.
func (d door) send(t attempt) (resp *http.Response, connected bool, err error) {
	var stood atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { stood.Store(true) }}
	ctx, proxied := d.client.egress.route(t.running, t.at)
	if proxied {
		// What net/http allows for CONNECT is a minute of its own.
		patience := 2 * (d.registry.timeouts.connect + d.registry.timeouts.header)
		timer := time.AfterFunc(patience, func() { t.end(errHeader) })
		defer timer.Stop()
	}
	req, err := t.build(httptrace.WithClientTrace(ctx, trace), d.client.userAgent)
	if err != nil {
		return nil, false, trouble(reasonConnect, t.request.what, "the request cannot be written")
	}
	start := d.client.now()
	resp, err = t.request.transport.RoundTrip(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	d.client.observe(d.registry.name, status, d.client.now().Sub(start))
	return resp, stood.Load(), err
}

func (t attempt) build(ctx context.Context, userAgent string) (*http.Request, error) {
	var body io.Reader
	if t.request.form != nil {
		body = bytes.NewReader(t.request.form)
	}
	req, err := http.NewRequestWithContext(ctx, t.request.method, t.at.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header = t.request.header.Clone()
	req.Header.Set("User-Agent", userAgent)
	// Content is named by its digest, so by its bytes as they are.
	req.Header.Set("Accept-Encoding", "identity")
	if t.home && !t.request.authorization.IsZero() {
		req.Header.Set("Authorization", t.request.authorization.Reveal())
	}
	return req, nil
}
