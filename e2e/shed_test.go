package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/gateway"
)

// endless serves an image for each tag "kib-number", of as many KiB, and a blob
// for each digest that blob returned.
type endless struct {
	host string

	mu    sync.Mutex // guards blobs
	blobs map[string][]byte
}

func newEndless(tb testing.TB) *endless {
	tb.Helper()
	e := &endless{blobs: map[string][]byte{}}
	server := httptest.NewServer(e)
	tb.Cleanup(server.Close)
	e.host = strings.TrimPrefix(server.URL, "http://")
	return e
}

func (e *endless) blob(seed byte, size int) string {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	e.mu.Lock()
	defer e.mu.Unlock()
	e.blobs[digestOf(b)] = b
	return digestOf(b)
}

// ServeHTTP implements [http.Handler].
func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	e.mu.Lock()
	blob, isBlob := e.blobs[name]
	e.mu.Unlock()
	var kib, number int
	switch _, err := fmt.Sscanf(name, "%d-%d", &kib, &number); {
	case isBlob:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
	case err != nil || !strings.Contains(r.URL.Path, "/manifests/"):
		http.NotFound(w, r)
	default:
		empty := map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digestOf([]byte(name)), "size": len(name)}
		body, _ := json.Marshal(map[string]any{ // of strings and numbers alone
			"schemaVersion": 2, "mediaType": manifestType, "config": empty, "layers": []any{},
			"annotations": map[string]string{"pad": strings.Repeat("x", kib<<10)},
		})
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digestOf(body))
		_, _ = w.Write(body)
	}
}

// pullMany asks for images 24 KiB large and for blobs, and returns how often each
// status was the answer.
func pullMany(tb testing.TB, host string, images int, blobs []string) map[int]int {
	tb.Helper()
	paths := make(chan string)
	go func() {
		defer close(paths)
		for i := range images {
			paths <- fmt.Sprintf("manifests/24-%d", i)
		}
		for _, digest := range blobs {
			paths <- "blobs/" + digest
		}
	}()
	var mu sync.Mutex
	statuses := map[int]int{}
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			for p := range paths {
				status := get(host, p)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return statuses
}

// get returns the status of an answer that came whole, else zero.
func get(host, p string) int {
	response, err := http.Get("http://" + host + "/v2/docker.io/acme/many/" + p)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// stall asks for a manifest of 3 MiB, reads the status and then nothing more.
func stall(tb testing.TB, host, repository string, number int) (net.Conn, int) {
	tb.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		tb.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10) // the smaller the sooner it stalls
	_, _ = fmt.Fprintf(conn, "GET /v2/%s/manifests/3072-%d HTTP/1.1\r\nHost: gateway\r\n\r\n", repository, number)
	_ = conn.SetReadDeadline(time.Now().Add(gateway.Patience))
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return conn, response.StatusCode
}

// More than fits is pulled through a small gateway, then clients hold what cannot
// be given back until it is short of memory, then they leave.
func TestSheddingEnds(t *testing.T) {
	const within = 10 * time.Second
	e := newEndless(t)
	documents := informing(t, e.host)
	documents["other.yaml"] = gateway.Registry("quay.io", e.host)
	g := gateway.Start(t, documents, "GOMEMLIMIT=150MiB")
	var blobs []string
	for i := range 8 {
		blobs = append(blobs, e.blob(byte(i), 6<<20))
	}
	t.Logf("statuses of the load: %v, then %d MiB resident", pullMany(t, g.Host, 4000, blobs), g.Memory(t).Resident>>20)
	g.Await(t, "good pulls after the load", func() bool { return get(g.Host, "manifests/24-0") == http.StatusOK })

	var stalled []net.Conn
	leave := func() {
		for _, conn := range stalled {
			_ = conn.Close()
		}
	}
	defer leave()
	shed := false
	for i := 0; i < 200 && !shed; i++ {
		conn, status := stall(t, g.Host, []string{"docker.io/acme/large", "quay.io/acme/large"}[i%2], i)
		stalled = append(stalled, conn)
		shed = status == http.StatusServiceUnavailable
	}
	if !shed {
		t.Fatalf("%d clients that hold 3 MiB each did not make memory short\n%s", len(stalled), g.Metrics(t))
	}
	if page := verbose(t, g); !strings.Contains(page, "[-]memory: short") {
		t.Errorf("/readyz?verbose does not say that memory is short:\n%s", page)
	}
	leave()
	left := time.Now()
	g.Await(t, "a good pull after the clients left", func() bool { return get(g.Host, "manifests/24-0") == http.StatusOK })
	took := time.Since(left)
	t.Logf("%d stalled clients; a good pull %s after they left", len(stalled), took.Round(time.Millisecond))
	if took > within {
		t.Errorf("shedding ended after %s, want at most %s", took, within)
	}
	if statuses := pullMany(t, g.Host, 500, blobs); statuses[http.StatusOK] != 508 {
		t.Errorf("pulls after it: %v, want 508 of 200", statuses)
	}
	if page := verbose(t, g); !strings.Contains(page, "[+]memory ok") {
		t.Errorf("/readyz?verbose does not say that memory is free:\n%s", page)
	}
	for _, line := range []string{"GOMEMLIMIT has no room", "memory is short", "memory is free again"} {
		if n := strings.Count(g.Log(), line); n < 1 || n > 3 {
			t.Errorf("the log has %d lines with %q, want one, or a few", n, line)
		}
	}
}

func verbose(tb testing.TB, g *gateway.Gateway) string {
	tb.Helper()
	response, err := http.Get("http://" + g.Ops + "/readyz?verbose")
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		tb.Errorf("/readyz got %d, want 200", response.StatusCode)
	}
	page, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(page)
}
