package upstream

import (
	"context"
	"errors"
	"fmt"
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
	// later is how long the host asked not to be asked, zero for not at all.
	later time.Duration
	door  door
	end   context.CancelCauseFunc
	// claim is the memory that the body takes when it is read whole; nil once
	// somebody else gives it back.
	claim *claim
}

func (d door) answer(caller, running context.Context, end context.CancelCauseFunc, q *request, resp *http.Response) *answer {
	body := &idleBody{
		body: resp.Body, idle: d.registry.timeouts.idle, what: q.what,
		caller: caller, running: running, now: d.client.now,
	}
	if q.total == 0 {
		// What has no end in time has a least speed.
		body.pace.window = paceWindow
	}
	body.timer = time.AfterFunc(body.idle, func() { end(errIdle) })
	body.timer.Stop()
	return &answer{
		status: resp.StatusCode, header: resp.Header, length: resp.ContentLength,
		body: body, door: d, end: end, claim: d.claim(q.what),
	}
}

// Close ends the request, however much of it has arrived, and gives back what
// its body has taken: the caller is about to hand it on.
func (a *answer) Close() error {
	a.claim.release()
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
// for one, or too few by its pace, and gives each failure its class.
type idleBody struct {
	body            io.ReadCloser
	timer           *time.Timer
	idle            time.Duration
	what            string
	caller, running context.Context
	now             func() time.Time
	pace            pace
}

// Read implements [io.Reader]. Errors other than io.EOF are final.
func (b *idleBody) Read(p []byte) (int, error) {
	var start time.Time
	if b.pace.window > 0 {
		start = b.now()
	}
	b.timer.Reset(b.idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	switch {
	case errors.Is(err, io.EOF):
		return n, err
	case err == nil && (b.pace.window == 0 || b.pace.kept(n, b.now().Sub(start))):
		return n, nil
	case err == nil:
		return 0, &oci.Error{
			Code: oci.CodeTimeout, Reason: reasonSlow,
			Message: fmt.Sprintf("%s: the registry sent less than %d bytes a second", b.what, paceRate),
		}
	}
	return n, transportFailure(b.caller, b.running, b.what, reasonCut, err)
}

// whole reads a body of at most limit bytes. A longer one is tooLarge. The
// buffer grows as bytes arrive, by what the claim allows; a declared length
// bounds it and is never believed beyond that.
func (a *answer) whole(limit int64, tooLarge error) ([]byte, error) {
	if a.length > limit {
		return nil, tooLarge
	}
	// One byte more tells a body that ends here from one that goes on.
	most := limit + 1
	if a.length >= 0 {
		most = a.length + 1
	}
	b := make([]byte, 0, min(most, firstBytes))
	for {
		n, err := a.body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) == most:
			return nil, tooLarge
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		}
		if len(b) == cap(b) {
			if b, err = a.grow(b, most); err != nil {
				return nil, err
			}
		}
	}
}

// grow returns b with more room, at most most in all.
func (a *answer) grow(b []byte, most int64) ([]byte, error) {
	size := min(most, growth*int64(cap(b)))
	if err := a.claim.hold(size + int64(cap(b))); err != nil {
		return nil, err
	}
	grown := append(make([]byte, 0, size), b...)
	return grown, a.claim.hold(size)
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

// mismatch is the error of content that is not what its digest says.
func (a *answer) mismatch(what, text string) error {
	a.door.client.corrupted(a.body.caller, a.door.registry, what)
	return trouble(reasonDigest, what, "%s", text)
}
