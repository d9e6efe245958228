package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/internal/server"
)

func TestDrainTakesConnectionsForItsDelay(t *testing.T) {
	const delay = 300 * time.Millisecond
	p := newPair(t, "gateway", time.Now().Add(time.Hour))
	g, stop, ended := start(t, server.Config{DrainDelay: delay},
		server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one")},
		server.Endpoint{Name: "secure", Addr: "127.0.0.1:0", Handler: says("two"), TLS: p.write(t)})
	if g.Draining() {
		t.Fatal("drains before the end was asked for")
	}
	kept := dial(t, g.Addr("registry"))
	if _, header, _ := ask(t, kept); header.Get("Connection") != "" {
		t.Errorf("an answer before the end closes its connection")
	}
	h2 := client(t, trust(p.cert))
	fetch(t, h2, "https://"+g.Addr("secure").String())

	begin := time.Now()
	stop()
	until(t, "it drains", g.Draining)
	for name, conn := range map[string]io.ReadWriter{"a connection from before": kept, "a new connection": dial(t, g.Addr("registry"))} {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := io.ReadAll(conn) // to its end: the server closes
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") || !strings.Contains(string(answer), "\r\nConnection: close\r\n") {
			t.Errorf("%s: got %q, %v", name, answer, err)
		}
	}
	for range 3 { // the first answer carries a GOAWAY, so the others come by new connections
		if res, body := fetch(t, h2, "https://"+g.Addr("secure").String()); body != "two" || res.ProtoMajor != 2 {
			t.Errorf("got HTTP/%d %q", res.ProtoMajor, body)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < delay {
		t.Errorf("ended after %v, the delay is %v", took, delay)
	}
}

func TestOpsAnswersToTheEnd(t *testing.T) {
	h := newHeld()
	var group atomic.Pointer[server.Group]
	ready := func() bool { g := group.Load(); return g != nil && !g.Draining() }
	g, stop, ended := start(t, server.Config{},
		server.Endpoint{Name: "ops", Addr: "127.0.0.1:0", Last: true, Handler: server.Ops(server.OpsConfig{Ready: ready, Metrics: says("m 1\n")})},
		server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: h})
	group.Store(g)
	ops := "http://" + g.Addr("ops").String()
	if status, _ := get(t, ops+"/readyz"); status != 200 {
		t.Errorf("got %d before the end", status)
	}
	answer := make(chan string, 1)
	conn := dial(t, g.Addr("registry"))
	go func() {
		_, _, body := ask(t, conn)
		answer <- body
	}()
	<-h.entered
	stop()
	until(t, "it is not ready", func() bool { status, _ := get(t, ops+"/readyz"); return status == 503 })
	if status, body := get(t, ops+"/metrics"); status != 200 || body != "m 1\n" {
		t.Errorf("got %d %q while a request runs", status, body)
	}
	close(h.release)
	if got := <-answer; got != "whole" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhatIsCutOffIsCounted(t *testing.T) {
	entered := make(chan struct{}, 3)
	var log buffer
	g, stop, ended := start(t, server.Config{DrainTimeout: 50 * time.Millisecond, Log: logTo(&log)}, server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0",
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-r.Context().Done()
		}),
	})
	for range 3 {
		fmt.Fprint(dial(t, g.Addr("registry")), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-entered
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "running requests were cut off") || !strings.Contains(log.String(), "connections=3") {
		t.Errorf("the log does not count them: %s", &log)
	}
}

func TestAServerThatFailsEndsTheOthersWithoutDelay(t *testing.T) {
	g, _, ended := start(t, server.Config{DrainDelay: time.Hour},
		server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one")},
		server.Endpoint{Name: "ops", Addr: "127.0.0.1:0", Handler: says("two"), Last: true})
	get(t, "http://"+g.Addr("ops").String()) // it serves
	if err := g.Close(); err != nil {        // takes the listeners away
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "serve ") {
		t.Errorf("got %v, want the name of the server that failed", err)
	}
}
