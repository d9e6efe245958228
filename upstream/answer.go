package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"vouchsafe/oci"
)

const (
	// skimBytes and skimTime bound what is read of a body that nobody wants, to
	// keep its connection.
	skimBytes = 16 << 10
	skimTime  = time.Second
)

// answer is what one request got, its body not yet read. Everything in it is
// untrusted.
type answer struct {
	status int
	header http.Header
	// length is the declared Content-Length, -1 for none. It is compared with
	// what arrives, and never allocated.
	length int64
	body   *idleBody
	// url is where it came from, behind all redirects.
	url *url.URL
	// home is true while every hop was at the origin of the first.
	home bool
	now  func() time.Time
	end  context.CancelCauseFunc
}

func (d door) answer(caller, running context.Context, end context.CancelCauseFunc, what string, resp *http.Response) *answer {
	body := &idleBody{
		body: resp.Body, idle: d.registry.timeouts.idle, what: what,
		caller: caller, running: running,
	}
	body.timer = time.AfterFunc(body.idle, func() { end(errIdle) })
	body.timer.Stop()
	return &answer{
		status: resp.StatusCode, header: resp.Header, length: resp.ContentLength,
		body: body, now: d.client.now, end: end,
	}
}

// Close ends the request, however much of it has arrived.
func (a *answer) Close() error {
	a.body.timer.Stop()
	err := a.body.body.Close()
	a.end(nil)
	return err
}

// skim reads a little of an unwanted body, so that the connection can serve
// again, and closes the body. The request's context goes on, so the idle timer,
// which would end it, is not asked.
func (a *answer) skim() {
	stop := time.AfterFunc(skimTime, func() { _ = a.body.body.Close() })
	_, _ = io.Copy(io.Discard, io.LimitReader(a.body.body, skimBytes))
	stop.Stop()
	_ = a.body.body.Close()
}

// drain is skim, and the end of the request.
func (a *answer) drain() {
	a.skim()
	_ = a.Close()
}

// plain reports an error when the body is encoded although we asked for it as
// it is.
func (a *answer) plain(what string) error {
	for _, coding := range a.header.Values("Content-Encoding") {
		if coding != "" && coding != "identity" {
			return trouble(reasonEncoding, what, "the answer is content-encoded, which was not asked for")
		}
	}
	return nil
}

// idleBody fails when no byte arrives for the idle time while somebody waits
// for one, and gives each failure its class.
type idleBody struct {
	body            io.ReadCloser
	timer           *time.Timer
	idle            time.Duration
	what            string
	caller, running context.Context
}

// Read implements [io.Reader]. Errors other than io.EOF are final.
func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, transportFailure(b.caller, b.running, b.what, reasonCut, err)
}

// whole reads a body of at most limit bytes. A longer one is tooLarge.
func (a *answer) whole(limit int64, tooLarge error) ([]byte, error) {
	if a.length > limit {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(a.body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, tooLarge
	}
	return b, nil
}

// classed reports whether err already says what happened: one of ours, or the
// end of the caller's context.
func classed(err error) bool {
	_, ours := errors.AsType[*oci.Error](err)
	return ours || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Read implements [io.Reader], so that the answer can be handed on as the body
// of what it holds.
func (a *answer) Read(p []byte) (int, error) { return a.body.Read(p) }
