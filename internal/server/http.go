package server

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Bounds of every connection that no setting changes.
const (
	// maxHeaderBytes bounds a request's header, in HTTP/2 the list of its fields.
	maxHeaderBytes = 64 << 10
	// maxStreams is how many requests one HTTP/2 connection may have running.
	maxStreams = 128
	// maxFrameBytes, headerTableBytes and receiveBytes are the least that HTTP/2
	// allows or needs: requests here have no body worth reading.
	maxFrameBytes    = 16 << 10
	headerTableBytes = 4 << 10
	receiveBytes     = 64 << 10
	// pingAfter is the silence of a client with running requests after which it
	// is asked whether it is there; it has pingTimeout to say so. It ends what
	// stalls in the middle of a header too.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	// writeStall is how long an HTTP/2 connection may take nothing at all.
	writeStall = time.Minute
)

// server returns the HTTP server of m, HTTP/1.1 in the clear or HTTP/1.1 and 2
// over TLS.
func (g *Group) server(base context.Context, m *member) *http.Server {
	s := &http.Server{
		Handler:           g.leaving(bounded(g.cfg.BodyTimeout, m.Handler)),
		ReadHeaderTimeout: g.cfg.ReadHeaderTimeout, // of a TLS handshake too
		IdleTimeout:       g.cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         m.gate.observe,
		// The standard library speaks up about handlers that panicked and clients
		// that do not speak HTTP.
		ErrorLog:  newComplaints(g.cfg.Log.With("server", m.Name)),
		Protocols: new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	if m.TLS == nil {
		return s
	}
	s.TLSConfig = m.TLS.config()
	s.Protocols.SetHTTP2(true)
	s.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReadFrameSize:              maxFrameBytes,
		MaxDecoderHeaderTableSize:     headerTableBytes,
		MaxEncoderHeaderTableSize:     headerTableBytes,
		MaxReceiveBufferPerConnection: receiveBytes,
		MaxReceiveBufferPerStream:     receiveBytes,
		SendPingTimeout:               pingAfter,
		PingTimeout:                   pingTimeout,
		WriteByteTimeout:              writeStall,
	}
	return s
}

// leaving asks clients to close their connections while the group drains; in
// HTTP/2 the standard library makes a GOAWAY of it.
func (g *Group) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.Draining() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// bounded gives the body of a request its deadline: nothing here wants one, and
// a client that never ends it must not hold a connection. Requests without a
// body have none, since a deadline would end the context of a long answer.
func bounded(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
