package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"vouchsafe/audit"
	"vouchsafe/config"
)

// nowhere is a response that is not sent.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(status int)      { n.status = status }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }

// warmManifest returns a GET by digest of a verified image that was pulled
// before, through the whole stack; it returns the status.
func warmManifest(t testing.TB) func() int {
	d := newDoor(t, true)
	settings, err := config.LoadSettings(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	to := outside{sink: audit.NewWriterSink(io.Discard), replica: "replica-0"}
	s := newStack(*d.snapshot.Load(), settings, to, newMetrics(), newLogger(io.Discard, settings))
	t.Cleanup(s.close)
	request := httptest.NewRequest(http.MethodGet, d.path(d.image.Digest.String()), http.NoBody)
	request.Header.Set("User-Agent", "containerd/2.1.4")
	get := func() int {
		w := &nowhere{header: http.Header{}}
		s.handler.ServeHTTP(w, request)
		return w.status
	}
	if status := get(); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	return get
}

// BenchmarkWarmManifest is what the gateway itself costs a node that pulls what
// is known: all of the stack, without the network.
func BenchmarkWarmManifest(b *testing.B) {
	get := warmManifest(b)
	b.ReportAllocs()
	for b.Loop() {
		if status := get(); status != http.StatusOK {
			b.Fatalf("status %d", status)
		}
	}
}

func TestAWarmManifestAllocatesLittle(t *testing.T) {
	get := warmManifest(t)
	if got := testing.AllocsPerRun(200, func() { get() }); got > warmAllocs {
		t.Errorf("got %v allocations, want at most %d", got, warmAllocs)
	}
}
