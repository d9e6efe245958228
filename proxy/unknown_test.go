package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/content"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
	"vouchsafe/upstream"
)

// liar is a gateway before a registry that answers for blobs what the test says.
// Each manifest is denied, and nothing vouches for any blob.
type liar struct {
	world
	host string
	// answer is the registry's, for its n-th request about the blob, from 1 on.
	answer func(n int, w http.ResponseWriter, r *http.Request)
	asked  atomic.Int32
}

func newLiar(t *testing.T, buffer int64) *liar {
	t.Helper()
	l := &liar{}
	l.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
		l.decider.mu.Lock()
		defer l.decider.mu.Unlock()
		d := policy.Decision{ID: "01D", Verdict: policy.Allow, Revision: "r1"}
		if strings.HasPrefix(l.decider.list[len(l.decider.list)-1], "decide ") {
			d.Verdict = policy.Deny
		}
		return d, nil
	}
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.answer(int(l.asked.Add(1)), w, r)
	}))
	t.Cleanup(registry.Close)
	l.host = strings.TrimPrefix(registry.URL, "http://")
	known, err := upstream.NewRegistry(l.host, upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := upstream.New(func(name string) (*upstream.Registry, bool) { return known, name == l.host }, upstream.Config{})
	blobs := content.NewBlobs(client, content.BlobsConfig{Buffer: buffer})
	l.url = serve(t, proxy.New(content.New(client, content.Config{}), blobs, client, &l.decider, proxy.Config{
		Listed: func(string) bool { return true }, Revision: func() string { return "r1" },
	}))
	return l
}

func (l *liar) path(body string) string {
	return "/v2/" + strings.ReplaceAll(l.host, ":", "_") + "/acme/api/blobs/" + oci.SHA256([]byte(body)).String()
}

// unsigned is a manifest with an annotation of the given size in front.
func unsigned(padding int) string {
	return `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeImageManifest + `","annotations":{"a":"` + strings.Repeat("x", padding) + `"},"config":` +
		descriptor("application/vnd.oci.image.config.v1+json") + `,"layers":[` + descriptor("application/vnd.oci.image.layer.v1.tar") + `]}`
}

// part answers what was asked for, with another total.
func part(w http.ResponseWriter, r *http.Request, body string, total int) {
	if r.Header.Get("Range") == "" {
		_, _ = io.WriteString(w, body)
		return
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(body)-1, total))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = io.WriteString(w, body)
}

// Whatever a registry says, an unsigned manifest does not leave as a blob: not
// with a clean end, and not with all its bytes.
func TestNoLieBringsAnUnsignedManifestThroughAsABlob(t *testing.T) {
	small, middle, large := unsigned(600), unsigned(60_000), unsigned(5<<20)
	padded := strings.Repeat(" ", oci.MaxManifestBytes+70_000) + small
	chunked := func(w http.ResponseWriter, pieces ...string) {
		for _, piece := range pieces {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
	for name, test := range map[string]struct {
		body   string
		answer func(n int, w http.ResponseWriter, r *http.Request)
		buffer int64
	}{
		"it is sent as it is": {small, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(small))
		}, 0},
		"it is larger than a manifest may be": {large, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(large))
		}, 0},
		"it is larger, of unknown size": {large, func(_ int, w http.ResponseWriter, _ *http.Request) { chunked(w, large) }, 0},
		"it stands behind 4 MiB of white space": {padded, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(padded))
		}, 0},
		"it stands behind white space, of unknown size": {padded, func(_ int, w http.ResponseWriter, _ *http.Request) { chunked(w, padded) }, 0},
		"the total of a part is a lie": {small, func(_ int, w http.ResponseWriter, r *http.Request) {
			part(w, r, small, 99_999_999)
		}, 0},
		"a part is the manifest, the whole is something else": {small, func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				_, _ = io.WriteString(w, strings.Repeat("x", 200_000))
				return
			}
			part(w, r, small, len(small))
		}, 0},
		"the second answer is the manifest": {middle, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 1 {
				chunked(w, middle)
				return
			}
			chunked(w, "{"+strings.Repeat(" ", oci.MaxManifestBytes+70_000))
			panic(http.ErrAbortHandler)
		}, 0},
		"the second answer is the manifest, and there is no room to share": {middle, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 1 {
				chunked(w, middle)
				return
			}
			chunked(w, "{"+strings.Repeat(" ", oci.MaxManifestBytes+70_000))
			panic(http.ErrAbortHandler)
		}, 1 << 20},
		"its size is a lie": {middle, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999999")
			_, _ = io.WriteString(w, middle)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, headers := range [][]string{nil, {"Range", "bytes=0-"}, {"Range", fmt.Sprintf("bytes=0-%d", len(test.body)-1)}} {
				l := newLiar(t, test.buffer)
				l.answer = test.answer
				got := l.do(t, "GET", l.path(test.body), headers...)
				if got.status < 300 && !got.broken || strings.Contains(got.body, `"layers"`) {
					t.Errorf("%v: got %d with %d of %d bytes, broken %t", headers, got.status, len(got.body), len(test.body), got.broken)
				}
				if got.status == 206 || got.status == 304 {
					t.Errorf("%v: got %d for a blob that nothing vouches for", headers, got.status)
				}
			}
		})
	}
}

func TestATooLargeManifestIsRefusedWithItsReason(t *testing.T) {
	body := `{"schemaVersion":2,"config":{},"layers":[],"a":"` + strings.Repeat("x", oci.MaxManifestBytes) + `"}`
	l := newLiar(t, 0)
	l.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	for range 3 {
		wantError(t, l.do(t, "GET", l.path(body)), 502, "MANIFEST_INVALID", "larger than the 4194304 bytes")
	}
}

// About a blob that nothing vouches for, nobody is told more than a look at it
// has shown.
func TestNothingIsSaidOfABlobUnseen(t *testing.T) {
	manifest, layer := unsigned(0), "\x1f\x8b"+strings.Repeat("z", 100_000)
	bodies := map[string]string{}
	l := newLiar(t, 0)
	l.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		body, found := bodies[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if !found {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
	}
	for _, body := range []string{manifest, layer} {
		bodies[oci.SHA256([]byte(body)).String()] = body
	}
	for name, test := range map[string]struct {
		method, body string
		headers      []string
		status       int
	}{
		"HEAD of a manifest":                      {"HEAD", manifest, nil, 403},
		"a manifest that the client has":          {"GET", manifest, []string{"If-None-Match", "*"}, 403},
		"HEAD of a manifest that the client has":  {"HEAD", manifest, []string{"If-None-Match", "*"}, 403},
		"nothing, which the client has":           {"GET", "nothing", []string{"If-None-Match", "*"}, 404},
		"HEAD of nothing":                         {"HEAD", "nothing", nil, 404},
		"HEAD of nothing, which the client has":   {"HEAD", "nothing", []string{"If-None-Match", "*"}, 404},
		"HEAD of a layer":                         {"HEAD", layer, nil, 200},
		"a layer that the client has":             {"GET", layer, []string{"If-None-Match", "*"}, 200},
		"a part of a layer":                       {"GET", layer, []string{"Range", "bytes=5-9"}, 200},
		"HEAD of a part of a layer":               {"HEAD", layer, []string{"Range", "bytes=5-9"}, 200},
		"a part of a layer behind its end":        {"GET", layer, []string{"Range", "bytes=999999-"}, 200},
		"a part of a layer that the client knows": {"GET", layer, []string{"Range", "bytes=5-9", "If-Range", `"` + oci.SHA256([]byte(layer)).String() + `"`}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			got := l.do(t, test.method, l.path(test.body), test.headers...)
			if got.status != test.status || got.broken {
				t.Fatalf("got %d (broken %t), want %d", got.status, got.broken, test.status)
			}
			if test.status == 200 && (got.length != int64(len(test.body)) || test.method == "GET" && got.body != test.body) {
				t.Errorf("got %d bytes, announced %d", len(got.body), got.length)
			}
			wantHeader(t, got, "Accept-Ranges", "")
		})
	}
}

// A HEAD that looked at a blob leaves it in the window for the GET.
func TestHEADAndGETOfAConfigAreOneFetch(t *testing.T) {
	body := `{"architecture":"amd64","config":{}}`
	l := newLiar(t, 0)
	l.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	l.do(t, "HEAD", l.path(body))
	if got := l.do(t, "GET", l.path(body)); got.body != body || l.asked.Load() != 1 {
		t.Errorf("got %d %q with %d requests, want 1", got.status, got.body, l.asked.Load())
	}
}

// Large JSON that is no manifest arrives whole, whatever is known of its size.
func TestLargeJSONArrivesWhole(t *testing.T) {
	body := `{"payloadType":"application/vnd.in-toto+json","payload":"` + strings.Repeat("eyJsYXll", 600<<10) + `"}`
	l := newLiar(t, 1<<20)
	sized := atomic.Bool{}
	l.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		if sized.Load() || r.Header.Get("Range") != "" {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
			return
		}
		_, _ = io.WriteString(w, body)
	}
	for _, known := range []bool{true, false} {
		sized.Store(known)
		var clients sync.WaitGroup
		for range 10 { // more than may look at a time
			clients.Go(func() {
				if got := l.do(t, "GET", l.path(body)); got.status != 200 || got.body != body || got.broken {
					t.Errorf("size known %t: got %d with %d bytes, broken %t", known, got.status, len(got.body), got.broken)
				}
			})
		}
		clients.Wait()
	}
}

// What was decided about a blob that is a manifest holds until its first byte, as
// what was decided about the blob does.
func TestTheDecisionAboutAManifestAsABlobIsHeldToo(t *testing.T) {
	for _, size := range []int{0, 60_000} {
		body := unsigned(size)
		w := newWorld(t, nil)
		var decided, asked atomic.Int32
		// The key is withdrawn after its manifest was found good: the next look at
		// the revision still sees the old one, those behind it the new one.
		w.revision = func() string {
			if decided.Load() > 0 && asked.Add(1) > 1 {
				return "r2"
			}
			return "r1"
		}
		w.upstream.open = func(context.Context, string) (*oci.Blob, error) { return blobOf(body, int64(len(body)), ""), nil }
		w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
			d := allow(blobDigest)
			d.Vouched = false
			if decided.Load() > 0 {
				d.Revision = "r2"
			}
			w.decider.mu.Lock()
			defer w.decider.mu.Unlock()
			if strings.HasPrefix(w.decider.list[len(w.decider.list)-1], "decide ") && decided.Add(1) > 1 {
				d.Verdict = policy.Deny
			}
			return d, nil
		}
		wantError(t, w.do(t, "GET", blobPath()), 403, "DENIED", "")
		if decided.Load() != 2 {
			t.Errorf("the manifest was decided %d times, want 2", decided.Load())
		}
	}
}

// A blob that loses what vouches for it before its first byte is looked at like
// any other.
func TestABlobThatIsNotVouchedForAnyMoreIsLookedAt(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		body   string
		status int
	}{
		"a part of a manifest": {"GET", unsigned(0), 403},
		"HEAD of a manifest":   {"HEAD", unsigned(0), 403},
		"a part of a layer":    {"GET", "\x1f\x8b0123456789", 200},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			var later atomic.Bool
			w.revision = func() string { return fmt.Sprint("r", later.Load()) }
			w.upstream.head = func(context.Context) (int64, error) { later.Store(true); return int64(len(test.body)), nil }
			w.upstream.open = func(_ context.Context, byteRange string) (*oci.Blob, error) {
				if byteRange != "" {
					later.Store(true)
					return blobOf(test.body[:10], 10, "bytes 0-9/99999999"), nil
				}
				return blobOf(test.body, int64(len(test.body)), ""), nil
			}
			w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
				d := allow(blobDigest)
				d.Vouched, d.Revision = !later.Load(), w.revision()
				w.decider.mu.Lock()
				defer w.decider.mu.Unlock()
				if strings.HasPrefix(w.decider.list[len(w.decider.list)-1], "decide ") {
					d.Verdict = policy.Deny
				}
				return d, nil
			}
			got := w.do(t, test.method, blobPath(), "Range", "bytes=0-9")
			if got.status != test.status || test.status == 200 && got.body != test.body {
				t.Errorf("got %d %.100q, want %d", got.status, got.body, test.status)
			}
			wantHeader(t, got, "Content-Range", "")
		})
	}
}
