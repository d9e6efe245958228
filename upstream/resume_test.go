package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

// cutter serves a blob with ranges, each answer at most n bytes long before the
// connection ends.
type cutter struct {
	body []byte
	n    func(request int) int
	etag string
	// chunked leaves the length of a whole blob out.
	chunked bool
	// rest answers requests with a Range in place of the cutter.
	rest  http.HandlerFunc
	asked atomic.Int64
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := int(c.asked.Add(1))
	first, last, status := 0, len(c.body)-1, http.StatusOK
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		if c.rest != nil {
			c.rest(w, r)
			return
		}
		if n, _ := fmt.Sscanf(text, "%d-%d", &first, &last); n == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(c.body)))
	}
	if c.etag != "" {
		w.Header().Set("ETag", c.etag)
	}
	if !c.chunked {
		w.Header().Set("Content-Length", itoa(last-first+1))
	}
	w.WriteHeader(status)
	part := c.body[first : last+1]
	n := min(c.n(request), len(part))
	_, _ = w.Write(part[:n])
	w.(http.Flusher).Flush()
	if n < len(part) {
		panic(http.ErrAbortHandler)
	}
}

func fixed(n int) func(int) int { return func(int) int { return n } }

func TestBlobIsResumedWhereItBroke(t *testing.T) {
	body := noise(1 << 20)
	for _, row := range []struct {
		name      string
		cut       *cutter
		byteRange string
		want      []byte
		ifRange   string
	}{
		{"a whole blob", &cutter{body: body, n: fixed(300_000)}, "", body, ""},
		{"a strong entity tag", &cutter{body: body, n: fixed(300_000), etag: `"x"`}, "", body, `"x"`},
		{"a weak entity tag", &cutter{body: body, n: fixed(300_000), etag: `W/"x"`}, "", body, ""},
		{"an entity tag that is none", &cutter{body: body, n: fixed(300_000), etag: `x y`}, "", body, ""},
		{"a blob without length", &cutter{body: body, n: fixed(300_000), chunked: true}, "", body, ""},
		{"the middle", &cutter{body: body, n: fixed(100_000)}, "bytes=1000-400999", body[1000:401_000], ""},
		{"the end", &cutter{body: body, n: fixed(100_000), etag: `"x"`}, "bytes=800000-", body[800_000:], `"x"`},
		{"a byte at a time, for some", &cutter{body: body, n: func(r int) int {
			if r < 10 {
				return 1
			}
			return len(body)
		}}, "", body, ""},
		{"nothing, twice", &cutter{body: body, n: func(r int) int { return []int{500_000, 0, 0, len(body)}[min(r-1, 3)] }}, "", body, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.cut.ServeHTTP)
			retried := 0
			client := openWith(t, s.host(), s.spec(), nil, upstream.Config{Retried: func(string) { retried++ }})
			blob, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(body), row.byteRange)
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			got, err := io.ReadAll(blob.Body)
			if err != nil || !bytes.Equal(got, row.want) {
				t.Fatalf("got %d bytes of %d, %v", len(got), len(row.want), err)
			}
			asked := s.take()
			if len(asked) < 3 || retried != len(asked)-1 {
				t.Errorf("got %d requests and %d retries", len(asked), retried)
			}
			for i, entry := range asked[1:] {
				if got := entry.header.Get("If-Range"); got != row.ifRange || entry.header.Get("Range") == "" {
					t.Errorf("request %d: got If-Range %q, Range %q", i, got, entry.header.Get("Range"))
				}
			}
		})
	}
}

// TestBlobThatCannotBeResumed: whatever comes for the rest, no clean end with
// other bytes and not the last bytes.
func TestBlobThatCannotBeResumed(t *testing.T) {
	body := noise(200_000)
	big := noise(2 << 20)
	other := bytes.Clone(body)
	other[150_000] ^= 1
	part := func(contentRange string, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(b)
		}
	}
	whole := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
	}
	for _, row := range []struct {
		name      string
		body      []byte
		byteRange string
		cut       int
		rest      http.HandlerFunc
		// requests for the rest, and what it ends with; "" is well.
		requests int
		reason   string
	}{
		{"416", body, "", 100_000, status(416, ""), 1, "interrupted"},
		{"404", body, "", 100_000, status(404, ""), 1, "interrupted"},
		{"403", body, "", 100_000, status(403, ""), 1, "interrupted"},
		{"429", body, "", 100_000, busy(429, "20"), 1, "interrupted"},
		{"503 for ever", body, "", 100_000, status(503, ""), 9, "interrupted"},
		{"resets for ever", body, "", 100_000, reset, 9, "interrupted"},
		{"another start", body, "", 100_000, part("bytes 99999-199999/200000", body[99_999:]), 1, "interrupted"},
		{"the start", body, "", 100_000, part("bytes 0-199999/200000", body), 1, "interrupted"},
		{"less than is missing", body, "", 100_000, part("bytes 100000-150000/200000", body[100_000:150_001]), 1, "interrupted"},
		{"another size", body, "", 100_000, part("bytes 100000-199999/200001", body[100_000:]), 1, "interrupted"},
		{"no Content-Range", body, "", 100_000, part("", body[100_000:]), 1, "interrupted"},
		{"the rest of something else", body, "", 100_000, part("bytes 100000-199999/200000", other[100_000:]), 1, "digest_mismatch"},
		{"the whole", body, "", 100_000, whole(body), 1, ""},
		{"the whole of something else", body, "", 100_000, whole(other), 1, "digest_mismatch"},
		{"a whole that announces another size", body, "", 100_000, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "180000")
			whole(body[:180_000])(w, r)
		}, 1, "interrupted"},
		{"a whole that ends before", body, "", 100_000, whole(body[:180_000]), 1 + 3, "interrupted"},
		{"the whole, behind more than is read again", big, "", 1<<20 + 100_000, whole(big), 1, "interrupted"},
		{"the whole in place of a part", body, "bytes=10-150000", 100_000, nil, 1, "interrupted"},
		{"encoded", body, "", 100_000, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Range", "bytes 100000-199999/200000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[100_000:])
		}, 1, "interrupted"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &cutter{body: row.body, n: fixed(row.cut), rest: row.rest}
			if row.byteRange != "" {
				c.rest = script(func(w http.ResponseWriter, r *http.Request) {
					(&cutter{body: row.body, n: fixed(row.cut)}).ServeHTTP(w, r)
				}, whole(row.body))
			}
			s := serve(t, c.ServeHTTP)
			corrupt := 0
			clock := newClock()
			cfg := clock.config()
			cfg.Corrupt = func(name string) {
				if corrupt++; name != s.host() {
					t.Errorf("corrupt %q", name)
				}
			}
			client := openWith(t, s.host(), s.spec(), nil, cfg)
			blob, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(row.body), row.byteRange)
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			got, err := io.ReadAll(blob.Body)
			if requests := len(s.take()) - 1; requests != row.requests {
				t.Errorf("got %d requests for the rest, want %d", requests, row.requests)
			}
			if want := row.reason == "digest_mismatch"; (corrupt == 1) != want {
				t.Errorf("counted %d times as corrupt", corrupt)
			}
			if row.reason == "" {
				if err != nil || !bytes.Equal(got, row.body) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
				return
			}
			wantCode(t, err, oci.CodeUpstream, row.reason)
			if len(got) >= len(row.body) {
				t.Error("the last bytes were given")
			}
			if _, again := blob.Body.Read(make([]byte, 1)); again == nil || errors.Is(again, io.EOF) {
				t.Errorf("the error does not stay: %v", again)
			}
		})
	}
}

func TestResumingEnds(t *testing.T) {
	body := noise(1 << 20)
	for _, row := range []struct {
		name     string
		n        func(int) int
		requests int
	}{
		{"without a byte", func(r int) int { return []int{1000, 0}[min(r-1, 1)] }, 1 + 3},
		{"with a byte each time", fixed(1), 1 + 16},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, (&cutter{body: body, n: row.n}).ServeHTTP)
			blob, err := open(t, s.host(), s.spec(), nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			_, err = io.ReadAll(blob.Body)
			wantCode(t, err, oci.CodeUpstream, "interrupted")
			if got := len(s.take()); got != row.requests {
				t.Errorf("got %d requests, want %d", got, row.requests)
			}
		})
	}
}

func TestStalledBlobIsResumed(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	body := noise(100_000)
	s := serve(t, script(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", itoa(len(body)))
		_, _ = w.Write(body[:50_000])
		w.(http.Flusher).Flush()
		wait(r, hold)
	}, (&cutter{body: body, n: fixed(len(body))}).ServeHTTP))
	spec := s.spec()
	spec.Timeouts = &upstream.TimeoutsSpec{Idle: short(50 * time.Millisecond)}
	blob, err := open(t, s.host(), spec, nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	if got, err := io.ReadAll(blob.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestRestGoesThroughTheRegistryAgain(t *testing.T) {
	body := noise(300_000)
	store := serve(t, (&cutter{body: body, n: fixed(100_000)}).ServeHTTP)
	g := &gate{}
	g.set(basicValue(), "Basic realm=x")
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if g.pass(w, r) {
			http.Redirect(w, r, store.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	})
	spec := s.withPassword()
	spec.RedirectHosts = []string{store.host()}
	blob, err := open(t, s.host(), spec, passwordFiles()).OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	if got, err := io.ReadAll(blob.Body); err != nil || !bytes.Equal(got, body) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	asked := store.take()
	if len(asked) != 3 {
		t.Errorf("got %d requests at the store, want 3", len(asked))
	}
	for _, entry := range asked {
		if entry.authorization != "" {
			t.Error("credentials went to the store")
		}
	}
}

func TestCloseEndsARequestForTheRest(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	arrived := make(chan struct{})
	body := noise(100_000)
	s := serve(t, (&cutter{body: body, n: fixed(50_000), rest: func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		wait(r, hold)
	}}).ServeHTTP)
	blob, err := open(t, s.host(), s.spec(), nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, blob.Body)
		ended <- err
	}()
	<-arrived
	_ = blob.Body.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
}

func TestWrongBytesAreCountedAndNeverRetried(t *testing.T) {
	body := noise(100_000)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	corrupt := 0
	client := openWith(t, s.host(), s.spec(), nil, upstream.Config{Corrupt: func(string) { corrupt++ }})
	wrong := oci.SHA256([]byte("other"))
	blob, err := client.OpenBlob(t.Context(), s.repository(), wrong, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(blob.Body)
	_ = blob.Body.Close()
	wantCode(t, err, oci.CodeUpstream, "digest_mismatch")
	_, err = client.SmallBlob(t.Context(), s.repository(), wrong, 1<<20)
	wantCode(t, err, oci.CodeUpstream, "digest_mismatch")
	_, err = client.GetManifest(t.Context(), oci.Reference{Repository: s.repository(), Digest: wrong})
	wantCode(t, err, oci.CodeUpstream, "digest_mismatch")
	if got := len(s.take()); got != 3 || corrupt != 3 {
		t.Errorf("got %d requests, %d counted, want 3 and 3", got, corrupt)
	}
}

func TestSlowBlobEnds(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	body := noise(100_000)
	drip := func(size int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", itoa(len(body)))
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for at := 0; at < len(body); at += size {
				if _, err := w.Write(body[at:min(at+size, len(body))]); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-tick.C:
				case <-hold:
					return
				case <-r.Context().Done():
					return
				}
			}
		}
	}
	for _, row := range []struct {
		name   string
		size   int
		reason string
	}{
		{"a byte at a time", 1, "slow"},
		{"enough at a time", 20_000, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, drip(row.size))
			clock := newClock()
			cfg := clock.config()
			// Each look at the clock is ten seconds later.
			cfg.Now = func() time.Time { clock.advance(time.Second / 10); return clock.now() }
			if row.size == 1 {
				cfg.Now = func() time.Time { clock.advance(10 * time.Second); return clock.now() }
			}
			client := openWith(t, s.host(), s.spec(), nil, cfg)
			blob, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			_, err = io.ReadAll(blob.Body)
			if row.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, oci.CodeTimeout, row.reason)
			if got := len(s.take()); got != 1 {
				t.Errorf("got %d requests, want no other for the rest", got)
			}
		})
	}
}

func TestPace(t *testing.T) {
	type step struct {
		n    int
		took time.Duration
	}
	for _, row := range []struct {
		name  string
		steps []step
		want  bool
	}{
		{"nothing yet", []step{{0, 29 * time.Second}}, true},
		{"a window of nothing", []step{{0, 30 * time.Second}}, false},
		{"one byte too few", []step{{30<<10 - 1, 30 * time.Second}}, false},
		{"just enough", []step{{30 << 10, 30 * time.Second}}, true},
		{"much, then little", []step{{1 << 30, 30 * time.Second}, {100, 30 * time.Second}}, false},
		{"little by little", []step{{512, 10 * time.Second}, {512, 10 * time.Second}, {512, 10 * time.Second}}, false},
		{"late, but enough", []step{{10, 20 * time.Second}, {40 << 10, 15 * time.Second}}, true},
		{"a long window is measured by its length", []step{{40 << 10, time.Minute}}, false},
	} {
		p := upstream.NewPace()
		got := true
		for _, s := range row.steps {
			got = p(s.n, s.took)
		}
		if got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}
