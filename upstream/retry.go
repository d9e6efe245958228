package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"vouchsafe/oci"
)

const (
	// maxRetries is how often one request is sent again, redirects included.
	maxRetries = 2
	// firstBackoff is the pause before the first retry, doubled for the second;
	// chance adds up to as much again, so that many callers do not come at once.
	firstBackoff = 100 * time.Millisecond
	// leastTry is what must be left of the deadline behind a pause.
	leastTry = 100 * time.Millisecond
	// longestWait is how long a request waits for the ends of hosts' pauses, all of
	// them together: a blob has no deadline, and its client must hear the truth
	// before its time-out. Who would wait longer is told to come again.
	longestWait = 2 * time.Second
	// maxTurns bounds how often one attempt waits for a pause that goes on.
	maxTurns = 3
	// spread parts the callers that waited for one pause.
	spread = 100 * time.Millisecond
)

// hop sends t, and again where that may help: a GET or HEAD whose connection was
// not made or was lost before an answer, or that was answered 500, 502, 503 or
// 504, behind a short pause; 429, and 503 with Retry-After, behind the pause that
// the host asked for when that is short. Time-outs are not tried again: a registry
// that hangs would cost its time-out each time.
func (d door) hop(t attempt) (*answer, error) {
	for {
		if err := d.inTurn(t); err != nil {
			return nil, err
		}
		sent := d.client.now()
		resp, connected, err := d.send(t) //nolint:bodyclose // the answer closes it
		wait := d.client.jittered(firstBackoff << t.request.retries)
		if err != nil {
			if !lost(err) || !t.again(wait) {
				return nil, t.failure(phase(connected), err)
			}
		} else {
			a := d.answer(t.caller, t.running, t.end, t.request, resp)
			host := func() string { return originOf(t.at).hostPort }
			a.later = d.registry.pauses.learn(host, a.status, a.header, sent, d.client.now())
			if a.later > 0 {
				// inTurn does the waiting, for this caller as for all.
				wait = 0
			}
			if !a.mayPass() || t.request.waited+a.later > longestWait || !t.again(max(wait, a.later)) {
				return a, nil
			}
			a.skim()
		}
		d.client.retried(d.registry.name)
		if err := d.client.sleep(t.running, wait); err != nil {
			return nil, t.failure(reasonConnect, err)
		}
	}
}

// inTurn waits while the host of t is paused. A pause that is longer than
// longestWait, or than the deadline, is CodeBusy with what is left of it, and no
// request goes out.
func (d door) inTurn(t attempt) error {
	for turn := 0; !d.registry.pauses.none(); turn++ {
		left := d.registry.pauses.left(originOf(t.at).hostPort, d.client.now())
		if left == 0 {
			return nil
		}
		if t.request.waited+left > longestWait || turn == maxTurns || !leaves(t.running, left) {
			return later429(t.request.what, left)
		}
		t.request.waited += left
		if err := d.client.sleep(t.running, left+d.client.chance(spread)); err != nil {
			return t.failure(reasonConnect, err)
		}
	}
	return nil
}

// later429 is what whoever comes in a pause is told.
func later429(what string, left time.Duration) error {
	return &oci.Error{
		Code: oci.CodeBusy, Reason: reasonPaused, RetryAfter: left,
		Message: what + ": the registry asks for fewer requests",
	}
}

// mayPass reports whether the trouble that a tells of may be over in a moment.
func (a *answer) mayPass() bool {
	return (isTransient(a.status) || a.later > 0) && a.later <= longestWait
}

func isTransient(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// again reports whether t may be sent once more behind a pause, and counts it.
// A form never is: nobody knows what the first one has done.
func (t attempt) again(wait time.Duration) bool {
	q := t.request
	if q.form != nil || q.retries == maxRetries || !leaves(t.running, wait) {
		return false
	}
	q.retries++
	return true
}

// leaves reports whether ctx goes on for long enough to wait and then try.
func leaves(ctx context.Context, wait time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) >= wait+leastTry
}

// phase is how far a failed attempt came.
func phase(connected bool) string {
	if connected {
		return reasonHeader
	}
	return reasonConnect
}

// lost reports whether err is a connection that was not made, or that went away
// before an answer. What is refused here, what is wrong with a certificate, what
// took too long and what is no HTTP will be so the next time too.
func lost(err error) bool {
	if _, refused := errors.AsType[*addressError](err); refused {
		return false
	}
	if _, distrusted := errors.AsType[*tls.CertificateVerificationError](err); distrusted {
		return false
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return !dns.IsNotFound
	}
	if proxy, ok := errors.AsType[*proxyError](err); ok {
		return proxy.status >= http.StatusInternalServerError
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		// The two are alerts of TLS, ours or the other side's.
		return op.Op != "local error" && op.Op != "remote error"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	// HTTP/2's own has no type; a test holds the words.
	return strings.Contains(err.Error(), "http2: server sent GOAWAY")
}
