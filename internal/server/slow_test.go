package server_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// ends returns after how long the server closed conn.
func ends(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	begin := time.Now()
	_ = conn.SetReadDeadline(begin.Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the connection was not closed")
		}
	}
	return time.Since(begin)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	const bound = 150 * time.Millisecond
	cfg := server.Config{ReadHeaderTimeout: bound, BodyTimeout: bound, IdleTimeout: bound}
	body := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	})
	p := newPair(t, "gateway", time.Now().Add(time.Hour))
	g, _, _ := start(t, cfg,
		server.Endpoint{Name: "plain", Addr: "127.0.0.1:0", Handler: body},
		server.Endpoint{Name: "secure", Addr: "127.0.0.1:0", Handler: body, TLS: p.write(t)})
	for name, test := range map[string]struct {
		endpoint string
		send     func(conn net.Conn)
	}{
		"who says nothing":                   {"plain", func(net.Conn) {}},
		"who stops in the header":            {"plain", func(c net.Conn) { fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n") }},
		"who never ends the header":          {"plain", trickle("GET / HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n")},
		"who stops in the body":              {"plain", func(c net.Conn) { fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab") }},
		"who never ends the body":            {"plain", trickle("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n")},
		"who stays behind an answer":         {"plain", func(c net.Conn) { fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
		"who never begins the handshake":     {"secure", func(net.Conn) {}},
		"who stops in the handshake":         {"secure", func(c net.Conn) { _, _ = c.Write([]byte{22, 3, 1, 2, 0, 1}) }},
		"who says nothing after a handshake": {"secure", func(c net.Conn) { _ = tls.Client(c, trusting(p)).Handshake() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, g.Addr(test.endpoint))
			begin := time.Now()
			test.send(conn)
			ends(t, conn)
			// The server may wait half a second for the client to read its answer.
			if took := time.Since(begin); took < bound/2 || took > 3*time.Second {
				t.Errorf("it was cut off after %v, the bound is %v", took, bound)
			}
		})
	}
}

// trickle sends first, and then more for as long as it can.
func trickle(first, more string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.WriteString(c, first); err != nil {
			return
		}
		go func() {
			for {
				if _, err := io.WriteString(c, more); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
	}
}

func TestGoodClientsAreServedBesideTwoThousandSlowOnes(t *testing.T) {
	const slow, good = 2000, 200
	g, _, _ := start(t, server.Config{}, server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), MaxConnections: 8192, MaxConnectionsPerAddress: 2048,
	})
	for range slow {
		fmt.Fprint(dial(t, g.Addr("registry")), "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	}
	var served atomic.Int32
	c := client(t, nil)
	for range good {
		if res, body := fetch(t, c, "http://"+g.Addr("registry").String()); res.StatusCode == 200 && body == "one" {
			served.Add(1)
		}
	}
	if served.Load() != good {
		t.Errorf("%d of %d requests were served", served.Load(), good)
	}
}
