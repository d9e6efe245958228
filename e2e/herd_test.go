package e2e_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
)

// slowOrigin serves one image, repository acme/herd, tag 1, and counts who asks
// for what. It gives the layer in pieces with a pause between them, so that
// clients that come together meet.
type slowOrigin struct {
	host     string
	digest   string
	blobs    map[string][]byte
	layer    string
	manifest []byte

	mu     sync.Mutex // guards counts
	counts map[string]int
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func newSlowOrigin(tb testing.TB, layerBytes int) *slowOrigin {
	tb.Helper()
	layer := make([]byte, layerBytes)
	_, _ = rand.Read(layer) // never fails
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"salt":"` + rand.Text() + `"}`)
	o := &slowOrigin{blobs: map[string][]byte{digestOf(layer): layer, digestOf(config): config}, layer: digestOf(layer), counts: map[string]int{}}
	descriptor := func(mediaType string, b []byte) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": digestOf(b), "size": len(b)}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor("application/vnd.oci.image.config.v1+json", config),
		"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	o.manifest, o.digest = manifest, digestOf(manifest)
	server := httptest.NewServer(o)
	tb.Cleanup(server.Close)
	o.host = strings.TrimPrefix(server.URL, "http://")
	return o
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ServeHTTP implements [http.Handler].
func (o *slowOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	o.mu.Lock()
	o.counts[r.Method+" "+path.Base(path.Dir(r.URL.Path))+"/"+name]++
	o.mu.Unlock()
	blob, isBlob := o.blobs[name]
	switch {
	case strings.Contains(r.URL.Path, "/manifests/") && (name == "1" || name == o.digest):
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", o.digest)
		time.Sleep(50 * time.Millisecond) // what a registry far away takes
		_, _ = w.Write(o.manifest)
	case !isBlob, strings.Contains(r.URL.Path, "/referrers/"):
		http.NotFound(w, r)
	case r.Header.Get("Range") != "":
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
	default:
		w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
		for len(blob) > 0 {
			n := min(len(blob), 256<<10)
			if _, err := w.Write(blob[:n]); err != nil {
				return
			}
			blob = blob[n:]
			time.Sleep(2 * time.Millisecond) // what a line far away takes
		}
	}
}

// got returns how often something was fetched, whole or in part; what is
// "blobs/sha256:…" or "manifests/1".
func (o *slowOrigin) got(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts["GET "+what]
}

// pullAll pulls the image as containerd does, and checks every byte.
func (o *slowOrigin) pullAll(client *http.Client, host string) error {
	base := "http://" + host + "/v2/docker.io/acme/herd/"
	for _, step := range []struct{ method, path, digest string }{
		{http.MethodHead, "manifests/1", ""},
		{http.MethodGet, "manifests/" + o.digest, o.digest},
		{http.MethodGet, "blobs/" + o.layer, o.layer},
		{http.MethodGet, "blobs/" + o.config(), o.config()},
	} {
		if err := fetch(client, step.method, base+step.path, step.digest); err != nil {
			return err
		}
	}
	return nil
}

func (o *slowOrigin) config() string {
	for digest := range o.blobs {
		if digest != o.layer {
			return digest
		}
	}
	return ""
}

// fetch wants a 200 whose bytes have the digest, if one is given.
func fetch(client *http.Client, method, url, digest string) error {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, response.Body); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	if got := "sha256:" + hex.EncodeToString(hash.Sum(nil)); digest != "" && got != digest {
		return fmt.Errorf("%s %s: got %s", method, url, got)
	}
	return nil
}

// informing are documents under which an unsigned image is served.
func informing(tb testing.TB, host string) map[string]string {
	tb.Helper()
	documents := enforced(tb, gateway.Registry("docker.io", host), cosign.NewKey(tb, cosign.Layouts()[0]))
	documents["policy.yaml"] = policy("Inform")
	return documents
}

const (
	blobBuffer = 32 << 20
	// perClient bounds what one connection costs: its buffers, the piece that is
	// being copied, its goroutines.
	perClient = 192 << 10
)

// The formula of docs/operations.md: what is alive is at most what the process has at rest, the
// window of blobs, and a part for each connection; the collector lets it double.
func peakBound(atRest int64, clients int) int64 {
	return atRest + 2*(blobBuffer+int64(clients)*perClient)
}

func TestColdHerd(t *testing.T) {
	for _, test := range []struct{ clients, layer int }{{40, 11 << 20}, {1000, 2 << 20}} {
		t.Run(fmt.Sprintf("%d clients of one cold image", test.clients), func(t *testing.T) {
			o := newSlowOrigin(t, test.layer)
			g := gateway.Start(t, informing(t, o.host), fmt.Sprintf("VOUCHSAFE_BLOB_BUFFER=%d", blobBuffer))
			atRest := g.Memory(t).Resident
			transport := &http.Transport{MaxIdleConnsPerHost: test.clients}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			errs := make(chan error, test.clients)
			start := make(chan struct{})
			for range test.clients {
				go func() {
					<-start
					errs <- o.pullAll(client, g.Host)
				}()
			}
			begin := time.Now()
			close(start)
			failed := 0
			for range test.clients {
				if err := <-errs; err != nil {
					if failed++; failed < 5 {
						t.Error(err)
					}
				}
			}
			took := time.Since(begin)
			if failed > 0 {
				t.Errorf("%d of %d pulls failed", failed, test.clients)
			}
			for what, name := range map[string]string{"layer": o.layer, "config": o.config()} {
				if got := o.got("blobs/" + name); got != 1 {
					t.Errorf("the %s was fetched %d times upstream, want once", what, got)
				}
			}
			if got := o.got("manifests/1") + o.got("manifests/"+o.digest); got != 1 {
				t.Errorf("the manifest was fetched %d times upstream, want once", got)
			}
			peak := g.Memory(t).Peak
			t.Logf("%d clients: %s, at rest %d MiB, peak %d MiB, bound %d MiB", test.clients, took.Round(time.Millisecond),
				atRest>>20, peak>>20, peakBound(atRest, test.clients)>>20)
			if bound := peakBound(atRest, test.clients); peak > bound {
				t.Errorf("peak of %d MiB, want at most %d", peak>>20, bound>>20)
			}
		})
	}
}

// from returns a client whose connections come from another address of loopback.
func from(tb testing.TB, address string) *http.Client {
	tb.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: gateway.Patience}
	transport := &http.Transport{DialContext: dialer.DialContext}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: gateway.Patience}
}

// connect opens n connections from an address and writes text on each; those
// that are refused by the kernel or the gateway count too.
func connect(tb testing.TB, host, address, text string, n int) []net.Conn {
	tb.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: gateway.Patience}
	var all []net.Conn
	for range n {
		conn, err := dialer.DialContext(tb.Context(), "tcp", host)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, text) // it may be closed already
		all = append(all, conn)
	}
	return all
}

func TestSlowLoris(t *testing.T) {
	const attackers, total = 2000, 3000
	for name, text := range map[string]string{
		"header that never ends":    "GET /v2/ HTTP/1.1\r\nHost: gateway\r\nX-Slow: ",
		"body that never ends":      "GET /v2/ HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\nx",
		"answers that nobody reads": "", // written below, since it names a blob
	} {
		t.Run(name, func(t *testing.T) {
			o := newSlowOrigin(t, 4<<20)
			g := gateway.Start(t, informing(t, o.host),
				fmt.Sprintf("VOUCHSAFE_MAX_CONNECTIONS=%d", total), "VOUCHSAFE_MAX_CONNECTIONS_PER_ADDRESS=1500",
				fmt.Sprintf("VOUCHSAFE_BLOB_BUFFER=%d", blobBuffer))
			good := from(t, "127.0.0.2")
			if err := o.pullAll(good, g.Host); err != nil {
				t.Fatal(err)
			}
			atRest, before := g.Memory(t).Resident, g.Descriptors(t)
			if text == "" {
				text = "GET /v2/docker.io/acme/herd/blobs/" + o.layer + " HTTP/1.1\r\nHost: gateway\r\n\r\n"
			}
			connect(t, g.Host, "127.0.0.3", text, attackers)
			most, pulling := 0, time.Now()
			const pulls = 100
			for n := range pulls {
				begin := time.Now()
				if err := o.pullAll(good, g.Host); err != nil {
					t.Fatalf("pull %d of %d beside %d attackers: %v", n, pulls, attackers, err)
				}
				most = max(most, g.Descriptors(t))
				if n%20 == 0 {
					t.Logf("pull %d took %s", n, time.Since(begin).Round(time.Millisecond))
				}
			}
			took, fetches := time.Since(pulling), o.got("blobs/"+o.layer)
			peak := g.Memory(t).Peak
			t.Logf("%d attackers: %d of %d pulls good in %s, the layer fetched %d times, descriptors %d → %d, memory %d → %d MiB",
				attackers, pulls, pulls, took.Round(time.Millisecond), fetches, before, most, atRest>>20, peak>>20)
			// The window has room for it, whoever reads it or does not.
			if fetches != 1 {
				t.Errorf("the layer was fetched %d times upstream, want once", fetches)
			}
			// 1,500 of the attackers are let in, and 256 more may be being refused.
			if bound := before + 1500 + 256 + 50; most > bound {
				t.Errorf("%d descriptors, want at most %d", most, bound)
			}
			if bound := peakBound(atRest, total); peak > bound {
				t.Errorf("peak of %d MiB, want at most %d", peak>>20, bound>>20)
			}
		})
	}
}

func TestConnectionsOverTheCapAreTold(t *testing.T) {
	o := newSlowOrigin(t, 1<<10)
	g := gateway.Start(t, informing(t, o.host), "VOUCHSAFE_MAX_CONNECTIONS=20", "VOUCHSAFE_MAX_CONNECTIONS_PER_ADDRESS=10")
	ping := func(address string) (int, string) {
		response, err := from(t, address).Get("http://" + g.Host + "/v2/")
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	connect(t, g.Host, "127.0.0.3", "GET /v2/ HTTP/1.1\r\n", 10)
	g.Await(t, "one connection more from one address to be answered 429", func() bool {
		status, again := ping("127.0.0.3")
		return status == http.StatusTooManyRequests && again != ""
	})
	if status, _ := ping("127.0.0.4"); status != http.StatusOK {
		t.Errorf("another address got %d beside it, want 200", status)
	}
	connect(t, g.Host, "127.0.0.5", "GET /v2/ HTTP/1.1\r\n", 10)
	g.Await(t, "one connection more in all to be answered 503", func() bool {
		status, again := ping("127.0.0.6")
		return status == http.StatusServiceUnavailable && again != ""
	})
	if !g.Ready() {
		t.Error("full of connections, the gateway is not ready")
	}
}

// readFile reads a file of the test's own.
func readFile(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
