package upstream

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// ErrLeftHost is a redirect to another scheme, host or port than the operator
// wrote.
var ErrLeftHost = errors.New("redirect to another host refused")

// operatorTimeouts bound requests to what the operator named.
var operatorTimeouts = timeouts{connect: 5 * time.Second, header: 10 * time.Second, idle: 30 * time.Second}

// NewOperatorClient returns a client for addresses that the operator wrote into a
// setting or document, such as a log's or a collector's: they may be private or
// loopback, never link-local, and a redirect never leaves scheme, host and port. A
// request and its answer have timeout together; whoever reads the answer bounds
// its size. Requests go by the proxies of egress, as those to registries do: the
// address is resolved and judged here before a proxy is asked for it.
func NewOperatorClient(timeout time.Duration, egress *Egress) *http.Client {
	return newOperatorClient(timeout, egress, nil)
}

// newOperatorClient asks resolver; nil is the system's.
func newOperatorClient(timeout time.Duration, egress *Egress, resolver *net.Resolver) *http.Client {
	g := &guard{timeout: operatorTimeouts.connect, resolver: resolver, permits: func(string) bool { return true }}
	transport := newTransport(g, operatorTimeouts, &tls.Config{MinVersion: tls.VersionTLS12})
	return &http.Client{
		Transport: routed{transport, egress},
		Timeout:   timeout,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || originOf(next.URL) != originOf(via[0].URL) {
				return ErrLeftHost
			}
			return nil
		},
	}
}

// routed gives each request its route.
type routed struct {
	transport *http.Transport
	egress    *Egress
}

// RoundTrip implements [http.RoundTripper].
func (r routed) RoundTrip(request *http.Request) (*http.Response, error) {
	if ctx, proxied := r.egress.route(request.Context(), request.URL); proxied {
		request = request.WithContext(ctx)
	}
	return r.transport.RoundTrip(request)
}

// CloseIdleConnections serves [http.Client.CloseIdleConnections].
func (r routed) CloseIdleConnections() { r.transport.CloseIdleConnections() }
