package server_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

// Frames of HTTP/2 (RFC 9113, section 6), written by hand to do what no client
// does.
const (
	frameHeaders = 1
	frameReset   = 3
	frameSetting = 4
	frameGoAway  = 7

	flagAck        = 1
	flagEndStream  = 1
	flagEndHeaders = 4
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

// get2 is the header block of "GET https://x/" (RFC 7541, appendix A).
var get2 = []byte{0x82, 0x87, 0x84, 0x41, 1, 'x'}

// open2 opens an HTTP/2 connection whose frames the caller writes; what the
// server says is read and counted by its kind.
func open2(t *testing.T, addr net.Addr, p pair) (conn net.Conn, seen func(kind byte) int) {
	t.Helper()
	config := trusting(p)
	config.NextProtos = []string{"h2"}
	secure := tls.Client(dial(t, addr), config)
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("got protocol %q", got)
	}
	if _, err := secure.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSetting, 0, 0, nil)...)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	kinds := map[byte]int{}
	go func() {
		var head [9]byte
		for {
			if _, err := io.ReadFull(secure, head[:]); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, secure, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
				return
			}
			mu.Lock()
			kinds[head[3]]++
			mu.Unlock()
			if head[3] == frameSetting && head[4]&flagAck == 0 {
				_, _ = secure.Write(frame(frameSetting, flagAck, 0, nil))
			}
		}
	}()
	return secure, func(kind byte) int {
		mu.Lock()
		defer mu.Unlock()
		return kinds[kind]
	}
}

// busy counts the requests of each connection that run and remembers the most.
type busy struct {
	held
	mu   sync.Mutex
	now  map[string]int
	all  int
	most int
}

func newBusy() *busy { return &busy{held: newHeld(), now: map[string]int{}} }

func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return
	}
	b.change(r.RemoteAddr, 1)
	defer b.change(r.RemoteAddr, -1)
	<-b.release
	fmt.Fprint(w, "whole")
}

func (b *busy) change(from string, delta int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[from] += delta
	b.all += delta
	b.most = max(b.most, b.now[from])
}

// running returns how many requests run, and the most of one connection so far.
func (b *busy) running() (all, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all, b.most
}

func startSecure(t *testing.T, h http.Handler) (*server.Group, pair) {
	t.Helper()
	p := newPair(t, "gateway", time.Now().Add(time.Hour))
	g, _, _ := start(t, server.Config{DrainTimeout: time.Second}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: h, TLS: p.write(t)})
	return g, p
}

func TestHTTP2OverTLSOnly(t *testing.T) {
	g, p := startSecure(t, says("one"))
	res, body := fetch(t, client(t, trust(p.cert)), "https://"+g.Addr("registry").String())
	if res.ProtoMajor != 2 || body != "one" {
		t.Errorf("got HTTP/%d %q over TLS", res.ProtoMajor, body)
	}
	plain, _, _ := start(t, server.Config{}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one")})
	conn := dial(t, plain.Addr("registry"))
	fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
		t.Errorf("got %q, want no HTTP/2 in the clear", answer)
	}
}

func TestAThousandRequestsAtATimeAreServedOverEightConnections(t *testing.T) {
	const clients, each = 8, 125
	b := newBusy()
	g, p := startSecure(t, b)
	url := "https://" + g.Addr("registry").String()
	var failed atomic.Pointer[error]
	var served atomic.Int32
	var asking sync.WaitGroup
	for range clients {
		c := client(t, trust(p.cert))
		c.Timeout = time.Minute
		if res, err := c.Head(url); err != nil { // from now on it has a connection and knows its bound
			t.Fatal(err)
		} else {
			res.Body.Close()
		}
		for range each {
			asking.Go(func() {
				res, err := c.Get(url)
				if err != nil {
					failed.Store(&err)
					return
				}
				defer res.Body.Close()
				if body, _ := io.ReadAll(res.Body); string(body) == "whole" {
					served.Add(1)
				}
			})
		}
	}
	until(t, "all run", func() bool { all, _ := b.running(); return all == clients*each })
	close(b.release)
	asking.Wait()
	if err := failed.Load(); err != nil {
		t.Error(*err)
	}
	if _, most := b.running(); served.Load() != clients*each || most > 128 {
		t.Errorf("%d were served, at most %d of a connection at a time", served.Load(), most)
	}
}

func TestStreamsBeyondTheBoundAreReset(t *testing.T) {
	b := newBusy()
	g, p := startSecure(t, b)
	defer close(b.release)
	conn, seen := open2(t, g.Addr("registry"), p)
	until(t, "the server's settings", func() bool { return seen(frameSetting) >= 2 })
	var frames []byte
	for i := range uint32(1000) {
		frames = append(frames, frame(frameHeaders, flagEndStream|flagEndHeaders, 2*i+1, get2)...)
	}
	_, _ = conn.Write(frames) // the server may close at any of them
	until(t, "requests beyond the bound are refused", func() bool { return seen(frameReset)+seen(frameGoAway) > 0 })
	if _, most := b.running(); most < 50 || most > 128 {
		t.Errorf("%d requests of one connection ran at a time", most)
	}
}

func TestRapidResetStartsNoMoreHandlersThanStreams(t *testing.T) {
	b := newBusy()
	g, p := startSecure(t, b)
	defer close(b.release)
	conn, seen := open2(t, g.Addr("registry"), p)
	until(t, "the server's settings", func() bool { return seen(frameSetting) >= 2 })
	before := runtime.NumGoroutine()
	peak := 0
	for i := range uint32(200) {
		var frames bytes.Buffer
		for j := range uint32(100) {
			stream := 2*(100*i+j) + 1
			frames.Write(frame(frameHeaders, flagEndStream|flagEndHeaders, stream, get2))
			frames.Write(frame(frameReset, 0, stream, []byte{0, 0, 0, 8})) // CANCEL
		}
		if _, err := conn.Write(frames.Bytes()); err != nil {
			break
		}
		peak = max(peak, runtime.NumGoroutine()-before)
	}
	until(t, "the server ends the connection", func() bool { return seen(frameGoAway) > 0 })
	peak = max(peak, runtime.NumGoroutine()-before)
	if _, most := b.running(); peak > 128+20 || most > 128 {
		t.Errorf("%d goroutines more, %d handlers at a time", peak, most)
	}
	t.Logf("20,000 requests that were reset at once: %d goroutines more", peak)
}

func TestOversizedHeaderListIsRefused(t *testing.T) {
	g, p := startSecure(t, says("one"))
	req, err := http.NewRequest(http.MethodGet, "https://"+g.Addr("registry").String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, trust(p.cert))
	fetch(t, c, req.URL.String()) // the connection has its settings
	for i := range 10 {
		req.Header.Add("X-Long", strings.Repeat(string(rune('a'+i)), 10<<10))
	}
	res, err := c.Do(req)
	if err != nil {
		return // the client keeps to the server's setting
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, want 431", res.StatusCode)
	}
}
