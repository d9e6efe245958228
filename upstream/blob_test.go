package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/iotest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func itoa(n int) string { return strconv.Itoa(n) }

// noise is n bytes that look like a layer.
func noise(n int) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b)
	return b
}

func TestOpenBlobWhole(t *testing.T) {
	for _, size := range []int{0, 1, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64 << 10, 1 << 20} {
		for _, declared := range []bool{true, false} {
			body := noise(size)
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				if declared {
					w.Header().Set("Content-Length", itoa(size))
				} else {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(body)
			})
			client := open(t, s.host(), s.spec(), nil)
			blob, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
			if err != nil {
				t.Fatal(err)
			}
			want := int64(size)
			if !declared {
				want = -1
			}
			if blob.Size != want || blob.ContentRange != "" {
				t.Errorf("%d: got %+v", size, blob)
			}
			got, err := io.ReadAll(blob.Body)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes, declared %v: got %d bytes, %v", size, declared, len(got), err)
			}
			if n, err := blob.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("behind the end: got %d, %v", n, err)
			}
			_ = blob.Body.Close()
		}
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	blob, err := open(t, s.host(), s.spec(), nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(content), "")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	if err := iotest.TestReader(blob.Body, content); err != nil {
		t.Error(err)
	}
}

// TestBlobFaults: whatever arrives, no clean end and not the last bytes.
func TestBlobFaults(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	body := noise(100_000)
	flipped := bytes.Clone(body)
	flipped[50] ^= 1
	last := bytes.Clone(body)
	last[len(last)-1] ^= 1
	head := func(n int) string { return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", n) }
	const open200 = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		code   oci.Code
		reason string
	}{
		{"one bit flipped", raw(head(len(body)) + string(flipped)), oci.CodeUpstream, "digest_mismatch"},
		{"last bit flipped", raw(head(len(body)) + string(last)), oci.CodeUpstream, "digest_mismatch"},
		{"last bit flipped, without length", raw(open200 + string(last)), oci.CodeUpstream, "digest_mismatch"},
		{"cut at half", raw(head(len(body)) + string(body[:50_000])), oci.CodeUpstream, "interrupted"},
		{"cut by one byte", raw(head(len(body)) + string(body[:99_999])), oci.CodeUpstream, "interrupted"},
		{"cut, without length", raw(open200 + string(body[:99_999])), oci.CodeUpstream, "digest_mismatch"},
		{"announced shorter", raw(head(99_999) + string(body)), oci.CodeUpstream, "digest_mismatch"},
		{"announced longer", raw(head(100_001) + string(body)), oci.CodeUpstream, "interrupted"},
		{"one byte more, without length", raw(open200 + string(body) + "x"), oci.CodeUpstream, "digest_mismatch"},
		{"empty", raw(head(0)), oci.CodeUpstream, "digest_mismatch"},
		{"a broken chunk", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX"), oci.CodeUpstream, "interrupted"},
		{"stalls at half", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", itoa(len(body)))
			_, _ = w.Write(body[:50_000])
			w.(http.Flusher).Flush()
			wait(r, hold)
		}, oci.CodeTimeout, "idle"},
		{"stalls before the end that closes it", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(body)
			w.(http.Flusher).Flush()
			wait(r, hold)
		}, oci.CodeTimeout, "idle"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			spec := s.spec()
			if row.reason == "idle" {
				// The others must not meet it, however busy the machine is.
				spec.Timeouts = &upstream.TimeoutsSpec{Idle: short(100 * time.Millisecond)}
			}
			blob, err := open(t, s.host(), spec, nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			got, err := io.ReadAll(blob.Body)
			wantCode(t, err, row.code, row.reason)
			if len(got) >= len(body) {
				t.Errorf("got %d bytes, want the last ones held back", len(got))
			}
			if _, again := blob.Body.Read(make([]byte, 1)); again == nil || errors.Is(again, io.EOF) {
				t.Errorf("the error does not stay: %v", again)
			}
		})
	}
}

func TestSlowReaderIsNotAnIdleUpstream(t *testing.T) {
	body := noise(8 << 20)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	spec := s.spec()
	spec.Timeouts = &upstream.TimeoutsSpec{Idle: short(200 * time.Millisecond)}
	blob, err := open(t, s.host(), spec, nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	if _, err := io.CopyN(io.Discard, blob.Body, 100); err != nil {
		t.Fatal(err)
	}
	// The reader itself pauses for longer than the idle time.
	<-time.After(400 * time.Millisecond)
	if _, err := io.Copy(io.Discard, blob.Body); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestCallerThatLeavesDuringABlob(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	body := noise(100_000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(body[:50_000])
		w.(http.Flusher).Flush()
		wait(r, hold)
	})
	ctx, cancel := context.WithCancel(t.Context())
	blob, err := open(t, s.host(), s.spec(), nil).OpenBlob(ctx, s.repository(), oci.SHA256(body), "")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	if _, err := io.CopyN(io.Discard, blob.Body, 100); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, blob.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
}

func TestOpenBlobRange(t *testing.T) {
	body := noise(1000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	client := open(t, s.host(), s.spec(), nil)
	for _, row := range []struct {
		asked, sent, contentRange string
		first, last               int
	}{
		{"", "", "", 0, 999},
		{"bytes=0-99", "bytes=0-99", "bytes 0-99/1000", 0, 99},
		{"bytes=900-", "bytes=900-", "bytes 900-999/1000", 900, 999},
		{"bytes=-100", "bytes=-100", "bytes 900-999/1000", 900, 999},
		{"bytes=-5000", "bytes=-5000", "bytes 0-999/1000", 0, 999},
		{"bytes=990-5000", "bytes=990-5000", "bytes 990-999/1000", 990, 999},
		{"bytes=0-", "bytes=0-", "bytes 0-999/1000", 0, 999},
		// What is no single range goes nowhere.
		{"bytes=0-1,5-6", "", "", 0, 999},
		{"bytes=5-2", "", "", 0, 999},
		{"bytes=-", "", "", 0, 999},
		{"lines=1-2", "", "", 0, 999},
		{"bytes=1-2\r\nX: y", "", "", 0, 999},
		{"bytes=+1-2", "", "", 0, 999},
		{"bytes=99999999999999999999-", "", "", 0, 999},
	} {
		t.Run(row.asked, func(t *testing.T) {
			s.take()
			blob, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(body), row.asked)
			if err != nil {
				t.Fatal(err)
			}
			defer blob.Body.Close()
			got, err := io.ReadAll(blob.Body)
			want := body[row.first : row.last+1]
			if err != nil || !bytes.Equal(got, want) || blob.Size != int64(len(want)) || blob.ContentRange != row.contentRange {
				t.Errorf("got %d bytes, %v, %+v", len(got), err, blob)
			}
			if sent := s.take()[0].header.Get("Range"); sent != row.sent {
				t.Errorf("sent %q, want %q", sent, row.sent)
			}
		})
	}
	_, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(body), "bytes=1000-")
	wantCode(t, err, oci.CodeRangeInvalid, "")
}

func TestRangeFaults(t *testing.T) {
	part := func(contentRange, body string) http.HandlerFunc {
		return raw(fmt.Sprintf("HTTP/1.1 206 Partial Content\r\nContent-Range: %s\r\nContent-Length: %d\r\n\r\n%s", contentRange, len(body), body))
	}
	chunked := func(contentRange, body string) http.HandlerFunc {
		return raw(fmt.Sprintf("HTTP/1.1 206 Partial Content\r\nContent-Range: %s\r\nConnection: close\r\n\r\n%s", contentRange, body))
	}
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		// opens is true where the fault shows in the body only.
		opens  bool
		reason string
	}{
		{"no Content-Range", part("", "12345"), false, "range"},
		{"another start", part("bytes 0-4/100", "12345"), false, "range"},
		{"another end", part("bytes 10-20/100", "12345678901"), false, "range"},
		{"a length that contradicts the range", part("bytes 10-14/100", "123"), false, "range"},
		{"an end behind the size", part("bytes 10-14/12", "12345"), false, "range"},
		{"backwards", part("bytes 14-10/100", "12345"), false, "range"},
		{"another unit", part("lines 10-14/100", "12345"), false, "range"},
		{"several parts", part("multipart/byteranges", "12345"), false, "range"},
		{"shorter than the range", chunked("bytes 10-14/100", "123"), true, "interrupted"},
		{"longer than the range", chunked("bytes 10-14/100", "123456"), true, "range"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			blob, err := open(t, s.host(), s.spec(), nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(content), "bytes=10-14")
			if err == nil {
				_, err = io.ReadAll(blob.Body)
				_ = blob.Body.Close()
				if !row.opens {
					t.Error("opened, want a refusal")
				}
			}
			wantCode(t, err, oci.CodeUpstream, row.reason)
		})
	}
	s := serve(t, part("bytes 0-4/5", "wrong"))
	blob, err := open(t, s.host(), s.spec(), nil).OpenBlob(t.Context(), s.repository(), oci.SHA256(content), "bytes=0-")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Body.Close()
	_, err = io.ReadAll(blob.Body)
	wantCode(t, err, oci.CodeUpstream, "digest_mismatch")
}

func TestBlobStatus(t *testing.T) {
	for code, want := range map[int]oci.Code{
		404: oci.CodeBlobUnknown, 401: oci.CodeUnauthorized, 403: oci.CodeUnauthorized, 429: oci.CodeBusy,
		500: oci.CodeUpstream, 206: oci.CodeUpstream, 416: oci.CodeUpstream, 204: oci.CodeUpstream,
	} {
		s := serve(t, status(code, `{"errors":[{"code":"NAME_UNKNOWN"}]}`))
		client := open(t, s.host(), s.spec(), nil)
		_, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(content), "")
		if got := oci.CodeOf(err); got != want {
			t.Errorf("GET %d: got %v, want %v", code, got, want)
		}
		_, err = client.HeadBlob(t.Context(), s.repository(), oci.SHA256(content))
		if got := oci.CodeOf(err); got != want {
			t.Errorf("HEAD %d: got %v, want %v", code, got, want)
		}
		_, err = client.SmallBlob(t.Context(), s.repository(), oci.SHA256(content), 100)
		if got := oci.CodeOf(err); got != want {
			t.Errorf("small %d: got %v, want %v", code, got, want)
		}
	}
}

func TestSmallBlobAndHead(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			w.Header().Set("Content-Length", itoa(len(content)))
		}
		_, _ = w.Write(content)
	})
	client := open(t, s.host(), s.spec(), nil)
	if size, err := client.HeadBlob(t.Context(), s.repository(), oci.SHA256(content)); err != nil || size != int64(len(content)) {
		t.Errorf("HEAD: got %d, %v", size, err)
	}
	got, err := client.SmallBlob(t.Context(), s.repository(), oci.SHA256(content), int64(len(content)))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = client.SmallBlob(t.Context(), s.repository(), oci.SHA256(content), int64(len(content))-1)
	wantCode(t, err, oci.CodeUpstream, "too_large")
	_, err = client.SmallBlob(t.Context(), s.repository(), oci.SHA256([]byte("other")), 100)
	wantCode(t, err, oci.CodeUpstream, "digest_mismatch")
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"", "bytes=0-1", "bytes=-5", "bytes=5-", "bytes=1-0", "bytes=0-0,2-3", "bytes=９-"} {
		f.Add(s, "bytes 0-1/5")
	}
	f.Fuzz(func(t *testing.T, header, answer string) {
		text := upstream.RangeText(header)
		if again := upstream.RangeText(text); again != text {
			t.Errorf("%q became %q", text, again)
		}
		if upstream.ContentRangeAnswers(header, answer) && text == "" {
			t.Errorf("%q answers %q, which asks for the whole", answer, header)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"", "bytes 0-1/5", "bytes 0-1/*", "bytes 5-1/9", "bytes 0-0/0", "bytes */5", "bytes 9223372036854775807-9223372036854775807/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		text, length, size, ok := upstream.ReadContentRange(header)
		if !ok {
			return
		}
		if length <= 0 || size >= 0 && length > size {
			t.Errorf("%q: got %d bytes of %d", header, length, size)
		}
		if again, _, _, ok := upstream.ReadContentRange(text); !ok || again != text {
			t.Errorf("%q became %q, then %q", header, text, again)
		}
	})
}

func BenchmarkOpenBlob(b *testing.B) {
	body := noise(1 << 20)
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	b.Cleanup(s.Close)
	registry, err := upstream.NewRegistry(s.host(), s.spec(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(registry.Close)
	client := clientOf(registry, upstream.Config{})
	digest := oci.SHA256(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		blob, err := client.OpenBlob(b.Context(), s.repository(), digest, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, blob.Body); err != nil {
			b.Fatal(err)
		}
		_ = blob.Body.Close()
	}
}
