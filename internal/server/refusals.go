package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxRefusals is how many refused connections are answered at the same time;
	// more are closed without an answer.
	maxRefusals = 256
	// refusalTimeout bounds each step of a refusal: handshake, header, answer.
	refusalTimeout = 2 * time.Second
	// refusalRetryAfter is told to those who are refused, in seconds.
	refusalRetryAfter = "5"
)

// refusals answers connections beyond a bound: it reads one header, says when to
// come again, and closes. It is the listener of its own server.
type refusals struct {
	addr   net.Addr
	server *http.Server
	// places holds one token for each connection that is being refused; queue has
	// room for all of them, so that whoever accepts never waits.
	places chan struct{}
	queue  chan net.Conn
	ended  chan struct{}
	once   sync.Once
}

// refused is a connection that is told why it was not let in.
type refused struct {
	*net.TCPConn
	reason string
	leave  func()
}

// reasonKey is the key of a refusal's reason in the context of its request.
type reasonKey struct{}

func newRefusals(addr net.Addr) *refusals {
	r := &refusals{
		addr: addr, places: make(chan struct{}, maxRefusals), queue: make(chan net.Conn, maxRefusals), ended: make(chan struct{}),
	}
	r.server = &http.Server{
		Handler:     http.HandlerFunc(refuse),
		ReadTimeout: refusalTimeout, ReadHeaderTimeout: refusalTimeout, WriteTimeout: refusalTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if secure, ok := c.(*tls.Conn); ok {
				c = secure.NetConn()
			}
			if c, ok := c.(*refused); ok {
				ctx = context.WithValue(ctx, reasonKey{}, c.reason)
			}
			return ctx
		},
		// What goes wrong with a client that is refused is nobody's concern, and
		// in a flood it would fill the log.
		ErrorLog:  log.New(io.Discard, "", 0),
		Protocols: new(http.Protocols),
	}
	r.server.Protocols.SetHTTP1(true)
	r.server.SetKeepAlivesEnabled(false)
	return r
}

// serve answers until end; certificate is nil for plain HTTP.
func (r *refusals) serve(certificate *Certificate) {
	// The only way for it to return is end.
	if certificate == nil {
		_ = r.server.Serve(r)
		return
	}
	r.server.TLSConfig = certificate.config()
	_ = r.server.ServeTLS(r, "", "")
}

// end cuts off whoever is being refused.
func (r *refusals) end() { _ = r.server.Close(); _ = r.Close() }

// discard closes what was taken and never served.
func (r *refusals) discard() {
	for {
		select {
		case c := <-r.queue:
			_ = c.Close()
		default:
			return
		}
	}
}

// take refuses a connection, or closes it when too many are being refused.
func (r *refusals) take(tcp *net.TCPConn, reason string) {
	select {
	case r.places <- struct{}{}:
	default:
		_ = tcp.Close()
		return
	}
	r.queue <- &refused{TCPConn: tcp, reason: reason, leave: sync.OnceFunc(func() { <-r.places })}
}

// refuse is the handler of refused connections. The body has the form of the
// registry's errors (OCI distribution specification 1.1, "Error Codes").
func refuse(w http.ResponseWriter, r *http.Request) {
	status, body := http.StatusServiceUnavailable, `{"errors":[{"code":"UNAVAILABLE","message":"too many connections; try again"}]}`
	if r.Context().Value(reasonKey{}) == refusedAddress {
		status, body = http.StatusTooManyRequests, `{"errors":[{"code":"TOOMANYREQUESTS","message":"too many connections from this address; try again"}]}`
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", refusalRetryAfter)
	w.WriteHeader(status)
	// Whoever asked may have left; there is nobody else to tell.
	_, _ = io.WriteString(w, body)
}

// Close implements [net.Conn].
func (c *refused) Close() error {
	err := c.TCPConn.Close()
	c.leave()
	return err
}

// errEnded is what Accept returns after end.
var errEnded = errors.New("no more connections are refused")

// Accept implements [net.Listener].
func (r *refusals) Accept() (net.Conn, error) {
	select {
	case c := <-r.queue:
		return c, nil
	case <-r.ended:
		return nil, errEnded
	}
}

// Close implements [net.Listener].
func (r *refusals) Close() error { r.once.Do(func() { close(r.ended) }); return nil }

// Addr implements [net.Listener].
func (r *refusals) Addr() net.Addr { return r.addr }
