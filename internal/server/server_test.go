package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vouchsafe/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves endpoints until the test ends or stop is called; ended yields
// what Serve returned.
func start(t *testing.T, cfg server.Config, endpoints ...server.Endpoint) (g *server.Group, stop func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g, err := server.Listen(ctx, cfg, endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		done <- g.Serve(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
		http.DefaultClient.CloseIdleConnections()
	})
	return g, cancel, done
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func says(word string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, word) })
}

func TestEachEndpointAnswersAtItsAddress(t *testing.T) {
	g, stop, ended := start(t, server.Config{},
		server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one")},
		server.Endpoint{Name: "ops", Addr: "127.0.0.1:0", Handler: says("two")})
	for name, want := range map[string]string{"registry": "one", "ops": "two"} {
		if _, got := get(t, "http://"+g.Addr(name).String()); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := g.Addr("console"); got != nil {
		t.Errorf("got address %s for an endpoint that is not there", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("got %v from a clean end", err)
	}
	if _, err := net.DialTimeout("tcp", g.Addr("ops").String(), time.Second); err == nil {
		t.Error("still listens after the end")
	}
}

func TestPortAloneIsBothFamilies(t *testing.T) {
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "registry", Addr: ":0", Handler: says("one")})
	_, port, err := net.SplitHostPort(g.Addr("registry").String())
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"127.0.0.1"}
	if probe, err := net.Listen("tcp", "[::1]:0"); err == nil { // the machine has IPv6
		probe.Close()
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		if _, got := get(t, "http://"+net.JoinHostPort(host, port)); got != "one" {
			t.Errorf("%s: got %q", host, got)
		}
	}
}

func TestTakenAddressOpensNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	_, err = server.Listen(t.Context(), server.Config{},
		server.Endpoint{Name: "ops", Addr: free.Addr().String()},
		server.Endpoint{Name: "registry", Addr: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "open registry") || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("got %v, want an error that names the endpoint and the address", err)
	}
	again, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Fatalf("the first listener was left open: %v", err)
	}
	again.Close()
}

func TestRunningRequestsAreFinished(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	g, stop, ended := start(t, server.Config{}, server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			select {
			case <-leave:
				fmt.Fprint(w, "whole")
			case <-r.Context().Done():
			}
		}),
	})
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + g.Addr("registry").String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-entered
	stop()
	close(leave)
	if got := <-answer; got != "whole" {
		t.Errorf("got %q, want the whole answer", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v from a clean end", err)
	}
}

func TestRequestsThatDoNotEndAreCutOff(t *testing.T) {
	entered := make(chan struct{})
	var log buffer
	g, stop, ended := start(t, server.Config{
		DrainTimeout: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}, server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0",
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done() // ends only because the request's context does
		}),
	})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if res, err := http.Get("http://" + g.Addr("registry").String()); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	stop()
	if err := <-ended; err != nil {
		t.Errorf("got %v from an end that was asked for", err)
	}
	if got := log.String(); !strings.Contains(got, `level=WARN msg="running requests were cut off" server=registry`) {
		t.Errorf("the log does not tell: %s", got)
	}
	<-asked
}

func TestOversizedHeaderIsRefused(t *testing.T) {
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one")})
	req, err := http.NewRequest(http.MethodGet, "http://"+g.Addr("registry").String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", strings.Repeat("x", 128<<10))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, want 431", res.StatusCode)
	}
}

func TestRequestWithBodyEndsItsConnection(t *testing.T) {
	g, _, _ := start(t, server.Config{}, server.Endpoint{Name: "registry", Addr: "127.0.0.1:0", Handler: says("one")})
	conn, err := net.Dial("tcp", g.Addr("registry").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if !res.Close {
		t.Error("the connection stays open behind a request with a body")
	}
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestPanickingHandlerIsLoggedAndSurvived(t *testing.T) {
	var log buffer
	g, stop, ended := start(t, server.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, server.Endpoint{
		Name: "registry", Addr: "127.0.0.1:0",
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bad" {
				panic("hostile input")
			}
		}),
	})
	base := "http://" + g.Addr("registry").String()
	if res, err := http.Get(base + "/bad"); err == nil {
		res.Body.Close()
		t.Errorf("got %d from a handler that panicked", res.StatusCode)
	}
	if status, _ := get(t, base+"/good"); status != http.StatusOK {
		t.Errorf("got %d after a panic", status)
	}
	stop()
	<-ended
	if got := log.String(); !strings.Contains(got, "hostile input") || !strings.Contains(got, "server=registry") {
		t.Errorf("log does not tell: %s", got)
	}
}
