package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

// stall serves body under every name, its last byte only when open is closed,
// except what ends in "small", which is 20 KiB at once.
func stall(t *testing.T, body []byte, declared bool) (s *server, atGate chan struct{}, open chan struct{}) {
	atGate, open = make(chan struct{}, 1000), make(chan struct{})
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", oci.MediaTypeImageManifest)
		if strings.HasSuffix(r.URL.Path, "small") {
			_, _ = w.Write(body[:20<<10])
			return
		}
		if declared {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		_, err := w.Write(body[:len(body)-1])
		if http.NewResponseController(w).Flush() != nil || err != nil {
			return
		}
		atGate <- struct{}{}
		select {
		case <-open:
			_, _ = w.Write(body[len(body)-1:])
		case <-r.Context().Done():
		}
	})
	return s, atGate, open
}

func heap() int64 {
	var m runtime.MemStats
	// What dies during the first collection goes with the second.
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryOfSlowManifests has 200 manifests of 4 MiB on their way, each but
// for its last byte.
func TestMemoryOfSlowManifests(t *testing.T) {
	const (
		many = 200
		// share is two thirds of the default budget. beside is for connections,
		// goroutines, the free part of each body and the test's own server.
		share, beside = 64 << 20, 40 << 20
	)
	body := bytes.Repeat([]byte("y"), oci.MaxManifestBytes)
	for _, declared := range []bool{true, false} {
		t.Run(fmt.Sprintf("declared length %t", declared), func(t *testing.T) {
			s, _, gate := stall(t, body, declared)
			client := open(t, s.host(), s.spec(), nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			before := heap()
			refused, served := make(chan error, many), make(chan int, many)
			var wait sync.WaitGroup
			for i := range many {
				wait.Go(func() {
					raw, err := client.GetManifest(ctx, oci.Reference{Repository: s.repository(), Tag: fmt.Sprintf("v%d", i)})
					if err != nil {
						refused <- err
						return
					}
					served <- len(raw.Bytes)
				})
			}
			// Settled is when all that were not refused have their whole buffer.
			const whole = oci.MaxManifestBytes + 1 - 32<<10
			poll := time.NewTicker(5 * time.Millisecond)
			defer poll.Stop()
			for client.Taken() != int64(many-len(refused))*whole {
				select {
				case <-poll.C:
				case <-ctx.Done():
					t.Fatal("neither stalled nor refused")
				}
			}
			for range len(refused) {
				err := <-refused
				wantCode(t, err, oci.CodeBusy, "memory")
				if wire, ok := errors.AsType[*oci.Error](err); !ok || wire.RetryAfter <= 0 {
					t.Fatalf("%v does not say when to come again", err)
				}
			}
			held := heap() - before
			t.Logf("%d MiB held, %d MiB counted", held>>20, client.Taken()>>20)
			if held > share+beside || client.Taken() > share {
				t.Errorf("got %d bytes held, %d counted; want at most %d and %d", held, client.Taken(), share+beside, share)
			}
			if _, err := client.GetManifest(ctx, oci.Reference{Repository: s.repository(), Tag: "small"}); err != nil {
				t.Errorf("a small manifest meanwhile: %v", err)
			}
			close(gate)
			wait.Wait()
			close(served)
			if got := len(served); got < share/oci.MaxManifestBytes/2 {
				t.Errorf("got %d manifests served, want the budget used", got)
			}
			for n := range served {
				if n != len(body) {
					t.Errorf("got %d bytes of %d", n, len(body))
				}
			}
			if got := client.Taken(); got != 0 {
				t.Errorf("%d bytes are still counted", got)
			}
		})
	}
}

func TestOneRegistryLeavesMemoryForOthers(t *testing.T) {
	body := bytes.Repeat([]byte("y"), 1<<20)
	hung, atGate, gate := stall(t, body, true)
	lively := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	registries := map[string]*upstream.Registry{}
	for _, s := range []*server{hung, lively} {
		registry, err := upstream.NewRegistry(s.host(), s.spec(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(registry.Close)
		registries[s.host()] = registry
	}
	client := upstream.New(func(name string) (*upstream.Registry, bool) {
		registry, ok := registries[name]
		return registry, ok
	}, upstream.Config{WholeBytes: 6 << 20})
	var wait sync.WaitGroup
	refused := make(chan error, 20)
	for i := range 20 {
		wait.Go(func() {
			if _, err := client.GetManifest(t.Context(), oci.Reference{Repository: hung.repository(), Tag: fmt.Sprintf("v%d", i)}); err != nil {
				refused <- err
			}
		})
	}
	// Whatever has not been refused has arrived but for its last byte.
	for range 20 {
		select {
		case <-atGate:
		case err := <-refused:
			wantCode(t, err, oci.CodeBusy, "memory")
		}
	}
	if _, err := client.GetManifest(t.Context(), lively.image()); err != nil {
		t.Errorf("another registry: %v", err)
	}
	close(gate)
	wait.Wait()
}

// What is skipped in a list lies in memory as a whole too.
func TestListsCount(t *testing.T) {
	list := []byte(`{"x":"` + strings.Repeat("y", 2<<20) + `","tags":[],"manifests":[]}`)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", oci.MediaTypeImageIndex)
		_, _ = w.Write(list)
	})
	for name, c := range map[string]struct {
		bytes int64
		busy  bool
	}{
		"with room":    {bytes: 6 << 20},
		"without room": {bytes: 1 << 20, busy: true},
	} {
		t.Run(name, func(t *testing.T) {
			client := openWith(t, s.host(), s.spec(), nil, upstream.Config{WholeBytes: c.bytes})
			_, _, tagsErr := client.Tags(t.Context(), s.repository(), 0, "")
			_, referrersErr := client.Referrers(t.Context(), s.repository(), oci.SHA256(nil))
			for _, err := range []error{tagsErr, referrersErr} {
				if c.busy {
					wantCode(t, err, oci.CodeBusy, "memory")
				} else if err != nil {
					t.Error(err)
				}
			}
			if got := client.Taken(); got != 0 {
				t.Errorf("%d bytes are still counted", got)
			}
		})
	}
}
