package upstream

import (
	"crypto/tls"
	"errors"
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
// its size. No proxy is asked.
func NewOperatorClient(timeout time.Duration) *http.Client {
	g := &guard{timeout: operatorTimeouts.connect, permits: func(string) bool { return true }}
	return &http.Client{
		Transport: newTransport(g, operatorTimeouts, &tls.Config{MinVersion: tls.VersionTLS12}),
		Timeout:   timeout,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || originOf(next.URL) != originOf(via[0].URL) {
				return ErrLeftHost
			}
			return nil
		},
	}
}
