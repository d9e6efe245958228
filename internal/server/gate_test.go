package server_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

// held is a handler whose requests last until release is closed.
type held struct {
	entered chan struct{}
	release chan struct{}
}

func newHeld() held { return held{make(chan struct{}, 1000), make(chan struct{})} }

func (h held) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.entered <- struct{}{}
	<-h.release
	fmt.Fprint(w, "whole")
}

func TestConnectionsBeyondABoundAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		total, perAddress int
		status            int
		reason, body      string
	}{
		"beyond the total": {
			2, 0, 503, "total", `{"errors":[{"code":"UNAVAILABLE","message":"too many connections; try again"}]}`,
		},
		"beyond those of an address": {
			8, 2, 429, "address", `{"errors":[{"code":"TOOMANYREQUESTS","message":"too many connections from this address; try again"}]}`,
		},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %t", name, secure), func(t *testing.T) {
				h := newHeld()
				e := server.Endpoint{
					Name: "registry", Addr: "127.0.0.1:0", Handler: h,
					MaxConnections: test.total, MaxConnectionsPerAddress: test.perAddress,
				}
				open := dial
				if secure {
					p := newPair(t, "gateway", time.Now().Add(time.Hour))
					e.TLS = p.write(t)
					open = func(t *testing.T, addr net.Addr) net.Conn { return tls.Client(dial(t, addr), trusting(p)) }
				}
				var seen counts
				g, _, _ := start(t, seen.config(server.Config{}), e)
				answers := make(chan int, 2)
				for range 2 {
					conn := open(t, g.Addr("registry"))
					go func() {
						status, _, _ := ask(t, conn)
						answers <- status
					}()
					<-h.entered
				}
				status, header, body := ask(t, open(t, g.Addr("registry")))
				if status != test.status || body != test.body || header.Get("Retry-After") != "5" || header.Get("Content-Type") != "application/json; charset=utf-8" {
					t.Errorf("got %d %v %s", status, header, body)
				}
				if opened, refused := seen.get(test.reason); opened != 2 || refused != 1 {
					t.Errorf("the hooks saw %d open and %d refused for %q", opened, refused, test.reason)
				}
				close(h.release)
				for range 2 {
					if status := <-answers; status != 200 {
						t.Errorf("got %d on a connection within the bound", status)
					}
				}
			})
		}
	}
}

func trusting(p pair) *tls.Config {
	config := trust(p.cert)
	config.ServerName = "127.0.0.1"
	return config
}

func TestAPlaceIsFreeAgainWhenItsConnectionEnds(t *testing.T) {
	var seen counts
	g, _, _ := start(t, seen.config(server.Config{}), server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0", Handler: says("one"), MaxConnections: 1, MaxConnectionsPerAddress: 1,
	})
	for i := range 20 {
		conn := dial(t, g.Addr("registry"))
		if status, _, _ := ask(t, conn); status != 200 {
			t.Fatalf("got %d for connection %d", status, i)
		}
		conn.Close()
		until(t, "the place is free", func() bool { open, _ := seen.get(""); return open == 0 })
	}
}

func TestTheLongestIdleConnectionMakesRoom(t *testing.T) {
	for name, e := range map[string]server.Endpoint{
		"over all":    {MaxConnections: 2},
		"per address": {MaxConnectionsPerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			var seen counts
			e.Name, e.Addr, e.Handler = "registry", "127.0.0.1:0", says("one")
			g, _, _ := start(t, seen.config(server.Config{}), e)
			oldest, newer := dial(t, g.Addr("registry")), dial(t, g.Addr("registry"))
			for _, conn := range []net.Conn{oldest, newer} {
				if status, _, _ := ask(t, conn); status != 200 {
					t.Fatalf("got %d", status)
				}
				time.Sleep(10 * time.Millisecond) // so that one of them is older
			}
			time.Sleep(300 * time.Millisecond)
			if status, _, _ := ask(t, dial(t, g.Addr("registry"))); status != 200 {
				t.Errorf("got %d although a connection was idle", status)
			}
			if status, _, _ := ask(t, newer); status != 200 {
				t.Errorf("got %d on the connection that was idle for less", status)
			}
			if status, _, _ := ask(t, oldest); status != 0 {
				t.Errorf("got %d on the connection that was idle longest", status)
			}
			if open, _ := seen.get(""); open != 2 {
				t.Errorf("the hooks saw %d open connections, want 2", open)
			}
		})
	}
}

// descriptors counts the open ones of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the machine does not show descriptors: ", err)
	}
	return len(entries)
}

func TestDescriptorsStayBoundedInAFlood(t *testing.T) {
	const bound, flood, answered = 20, 700, 256
	h := newHeld()
	var seen counts
	g, _, _ := start(t, seen.config(server.Config{}), server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0", MaxConnections: bound,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				fmt.Fprint(w, "one")
				return
			}
			h.ServeHTTP(w, r)
		}),
	})
	defer close(h.release)
	good := dial(t, g.Addr("registry"))
	fmt.Fprint(good, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
	<-h.entered
	before := descriptors(t)
	peak := 0
	for i := range flood { // silent: they hold what they get
		dial(t, g.Addr("registry"))
		peak = max(peak, descriptors(t)-before-(i+1))
	}
	until(t, "all are counted", func() bool { _, refused := seen.get("total"); return refused == flood-bound+1 })
	peak = max(peak, descriptors(t)-before-flood)
	if limit := bound + answered + 8; peak > limit {
		t.Errorf("the server held %d descriptors, want at most %d", peak, limit)
	}
	t.Logf("%d silent connections: at most %d descriptors", flood, peak)
}

func TestAFloodIsOneLineInTheLog(t *testing.T) {
	var log buffer
	h := newHeld()
	g, _, _ := start(t, server.Config{Log: logTo(&log)}, server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0", Handler: h, MaxConnections: 1,
	})
	defer close(h.release)
	fmt.Fprint(dial(t, g.Addr("registry")), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-h.entered
	for range 20 {
		if status, _, _ := ask(t, dial(t, g.Addr("registry"))); status != 503 {
			t.Fatalf("got %d", status)
		}
	}
	if n := strings.Count(log.String(), "too many connections"); n != 1 {
		t.Errorf("got %d lines: %s", n, &log)
	}
}
