package ssrf

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// The ports at which every address of the namespace is served. The last is the
// one that rows name.
const (
	canaryPort = "7777"
	metaPort   = "80"
	tlsPort    = "443"
	redisPort  = "6379"
)

// call is one connection or request that arrived somewhere, as it was sent.
type call struct {
	// at is the address that was dialled.
	at   netip.AddrPort
	text string
}

// public reports whether anybody may be called there.
func (c call) public() bool {
	return c.at.Addr().Unmap() == netip.MustParseAddr(publicHost)
}

func (c call) String() string { return fmt.Sprintf("at %s: %.300q", c.at, c.text) }

// wire records what arrived at one kind of server.
type wire struct {
	mu    sync.Mutex // guards calls
	calls []call
}

func (w *wire) add(at net.Addr, text string) {
	address := netip.MustParseAddrPort(at.String())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call{netip.AddrPortFrom(address.Addr().Unmap(), address.Port()), text})
}

// take returns what arrived since the last take.
func (w *wire) take() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.calls
	w.calls = nil
	return taken
}

// watched tells of each connection before a byte was read: to be called at all
// is a hit.
type watched struct {
	net.Listener
	wire *wire
}

// Accept implements [net.Listener].
func (l watched) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.wire.add(conn.LocalAddr(), "connection")
	}
	return conn, err
}

// serveCanaries listens on every address of the namespace.
func serveCanaries(tb testing.TB, handler http.Handler) *wire {
	tb.Helper()
	w := &wire{}
	for _, port := range []string{canaryPort, metaPort, tlsPort, redisPort} {
		listener, err := net.Listen("tcp", "[::]:"+port)
		if err != nil {
			tb.Fatal(err)
		}
		serve(tb, watched{listener, w}, w, handler)
	}
	return w
}

// serve records each request and answers it, one a connection: the next one has
// to resolve and dial again.
func serve(tb testing.TB, listener net.Listener, w *wire, handler http.Handler) {
	tb.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.add(r.Context().Value(http.LocalAddrContextKey).(net.Addr), dump(r))
		rw.Header().Set("Connection", "close")
		handler.ServeHTTP(rw, r)
	})}
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() { _ = server.Close() })
}

// dump is a request with all that it carries.
func dump(r *http.Request) string {
	text, err := httputil.DumpRequest(r, true)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// carries returns what of the secrets a call has, in any of the forms in which
// they travel.
func carries(c call, secrets []string) (string, bool) {
	text := []byte(c.text)
	for _, s := range secrets {
		if bytes.Contains(text, []byte(s)) {
			return s, true
		}
	}
	for _, header := range []string{"\r\nAuthorization:", "\r\nCookie:", "\r\nProxy-Authorization:"} {
		if strings.Contains(strings.ToLower(c.text), strings.ToLower(header)) {
			return strings.TrimSpace(header), true
		}
	}
	return "", false
}
