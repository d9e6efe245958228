package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
	"vouchsafe/proxy"
	"vouchsafe/upstream"
)

// herd is a gateway with real connections on both sides, before a registry with
// one blob.
type herd struct {
	url    string
	path   string
	client *http.Client
	blobs  *content.Blobs
	// gets counts the GETs at the registry, largest is the most memory that was
	// seen taken.
	gets    atomic.Int32
	largest atomic.Int64
}

const herdBuffer = 16 << 20

func newHerd(t testing.TB, body []byte) *herd {
	t.Helper()
	h := &herd{}
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.gets.Add(1)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(registry.Close)
	host := strings.TrimPrefix(registry.URL, "http://")
	known, err := upstream.NewRegistry(host, upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := upstream.New(func(name string) (*upstream.Registry, bool) { return known, name == host }, upstream.Config{})
	h.blobs = content.NewBlobs(client, content.BlobsConfig{Buffer: herdBuffer})
	handler := proxy.New(content.New(client, content.Config{}), h.blobs, client, &decider{}, proxy.Config{
		Listed: func(string) bool { return true }, Revision: func() string { return "r1" },
	})
	gateway := httptest.NewServer(handler)
	t.Cleanup(gateway.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 2000}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport}
	h.url = gateway.URL
	h.path = "/v2/" + strings.ReplaceAll(host, ":", "_") + "/acme/api/blobs/" + oci.SHA256(body).String()
	return h
}

// pull takes the blob, or leaves in its middle.
func (h *herd) pull(ctx context.Context, want []byte, leave bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+h.path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	piece := make([]byte, 64<<10)
	at := 0
	for {
		n, err := res.Body.Read(piece)
		if at+n > len(want) || !bytes.Equal(piece[:n], want[at:at+n]) {
			return fmt.Errorf("other bytes at %d", at)
		}
		at += n
		if held := h.blobs.Bytes(); held > h.largest.Load() {
			h.largest.Store(held)
		}
		switch {
		case leave && at > len(want)/3:
			return nil
		case errors.Is(err, io.EOF):
			if res.StatusCode != http.StatusOK || at != len(want) {
				return fmt.Errorf("status %d with %d bytes and a clean end", res.StatusCode, at)
			}
			return nil
		case err != nil:
			return err
		}
	}
}

// together lets n clients pull at once, each tenth of them only a third.
func (h *herd) together(t testing.TB, n int, want []byte) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			if err := h.pull(t.Context(), want, i%10 == 9); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
}

func layer(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	b[0] = 0x1f // so that it never looks like text
	return b
}

func TestAHerdOfColdClientsIsOneGET(t *testing.T) {
	for _, test := range []struct{ clients, size int }{{40, 8 << 20}, {300, 512 << 10}} {
		t.Run(fmt.Sprintf("%d clients of %d bytes", test.clients, test.size), func(t *testing.T) {
			want := layer(test.size)
			h := newHerd(t, want)
			h.together(t, test.clients, want)
			if got := h.gets.Load(); got != 1 {
				t.Errorf("got %d GETs at the registry, want 1", got)
			}
			if got := h.largest.Load(); got > herdBuffer || got == 0 {
				t.Errorf("%d bytes in memory, want at most %d", got, herdBuffer)
			}
		})
	}
}

// BenchmarkColdHerd is a thousand clients of a blob of 8 MiB.
func BenchmarkColdHerd(b *testing.B) {
	want := layer(8 << 20)
	const clients = 1000
	b.SetBytes(clients * int64(len(want)))
	for b.Loop() {
		h := newHerd(b, want)
		h.together(b, clients, want)
		if got := h.gets.Load(); got != 1 {
			b.Errorf("got %d GETs at the registry, want 1", got)
		}
		b.ReportMetric(float64(h.largest.Load()), "buffer-B")
	}
}

// A blob that is looked at and then opened again, since it is large and was read
// whole, is one GET.
func TestLookingAtABlobAsksOnce(t *testing.T) {
	want := []byte(`{"a":"` + strings.Repeat("x", 300<<10) + `"}`)
	h := newHerd(t, want)
	for range 3 {
		if err := h.pull(t.Context(), want, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.gets.Load(); got != 1 {
		t.Errorf("got %d GETs at the registry, want 1", got)
	}
}
