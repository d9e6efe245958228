package upstream

import (
	"crypto/tls"
	"net/http"
	"time"
)

const (
	// maxHeaderBytes bounds an answer's header; signed redirect targets of
	// clouds have a few thousand.
	maxHeaderBytes = 64 << 10
	maxIdlePerHost = 32
	maxIdleTime    = 90 * time.Second
	// pingAfter finds out that a silent HTTP/2 connection is dead.
	pingAfter = 15 * time.Second
)

// newTransport is the one HTTP factory of the program: everything that leaves
// the process over HTTP passes its guard and has its deadlines. It follows no
// redirect, keeps no cookie and decodes nothing.
func newTransport(g *guard, t timeouts, trust *tls.Config) *http.Transport {
	return &http.Transport{
		// Never from the environment by net/http itself: the guard would then see
		// the proxy's address in place of the target's.
		Proxy:                  g.proxy,
		GetProxyConnectHeader:  g.connect,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            g.DialContext,
		TLSClientConfig:        trust.Clone(),
		TLSHandshakeTimeout:    t.connect,
		ResponseHeaderTimeout:  t.header,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        maxIdleTime,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: t.header},
	}
}
