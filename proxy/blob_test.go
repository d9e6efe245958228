package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"vouchsafe/oci"
	"vouchsafe/proxy"
)

func blobPath() string { return "/v2/nginx/blobs/" + blobDigest.String() }

func TestRanges(t *testing.T) {
	tests := map[string]struct {
		asked    []string
		passed   string
		blob     *oci.Blob
		status   int
		body     string
		rangeOut string
	}{
		"a part":                            {[]string{"Range", "bytes=2-4"}, "bytes=2-4", blobOf("234", 3, "bytes 2-4/10"), 206, "234", "bytes 2-4/10"},
		"an open end":                       {[]string{"Range", "bytes=7-"}, "bytes=7-", blobOf("789", 3, "bytes 7-9/10"), 206, "789", "bytes 7-9/10"},
		"a part of unknown size":            {[]string{"Range", "bytes=7-"}, "bytes=7-", blobOf("789", -1, "bytes 7-9/*"), 206, "789", "bytes 7-9/*"},
		"from the end":                      {[]string{"Range", "bytes=-3"}, "bytes=-3", blobOf("789", 3, "bytes 7-9/10"), 206, "789", "bytes 7-9/10"},
		"an end behind the end":             {[]string{"Range", "bytes=7-99"}, "bytes=7-99", blobOf("789", 3, "bytes 7-9/10"), 206, "789", "bytes 7-9/10"},
		"a range that the registry ignores": {[]string{"Range", "bytes=2-4"}, "bytes=2-4", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"several ranges are the whole":      {[]string{"Range", "bytes=1-2,4-5"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"two headers are the whole":         {[]string{"Range", "bytes=1-2", "Range", "bytes=4-5"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"another unit is the whole":         {[]string{"Range", "lines=1-2"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"a range backwards is the whole":    {[]string{"Range", "bytes=4-2"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"signs are no digits":               {[]string{"Range", "bytes=+1-2"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"nothing from the end":              {[]string{"Range", "bytes=-0"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"a number beyond all is the whole":  {[]string{"Range", "bytes=99999999999999999999-"}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"a range of the same content":       {[]string{"Range", "bytes=2-4", "If-Range", `"` + blobDigest.String() + `"`}, "bytes=2-4", blobOf("234", 3, "bytes 2-4/10"), 206, "234", "bytes 2-4/10"},
		"a range of other content":          {[]string{"Range", "bytes=2-4", "If-Range", `"other"`}, "", blobOf("0123456789", 10, ""), 200, "0123456789", ""},
		"the registry answers another part": {[]string{"Range", "bytes=2-4"}, "bytes=2-4", blobOf("567", 3, "bytes 5-7/10"), 502, "", ""},
		"the registry answers more":         {[]string{"Range", "bytes=2-4"}, "bytes=2-4", blobOf("2345", 4, "bytes 2-5/10"), 502, "", ""},
		"the registry answers nonsense":     {[]string{"Range", "bytes=2-4"}, "bytes=2-4", blobOf("234", 3, "bytes 2-x/10"), 502, "", ""},
		"the registry answers another size": {[]string{"Range", "bytes=2-4"}, "bytes=2-4", blobOf("234", 4, "bytes 2-4/10"), 502, "", ""},
		"a part that nobody asked for":      {nil, "", blobOf("234", 3, "bytes 2-4/10"), 502, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, opened := newWorld(t, nil), 0
			w.upstream.open = func(_ context.Context, byteRange string) (*oci.Blob, error) {
				if opened++; opened > 1 && byteRange == "" {
					return blobOf("0123456789", 10, ""), nil // to see what the part is a part of
				}
				if byteRange != test.passed {
					t.Errorf("passed %q, want %q", byteRange, test.passed)
				}
				return test.blob, nil
			}
			got := w.do(t, "GET", blobPath(), test.asked...)
			if test.status == 502 {
				wantError(t, got, 502, "UNAVAILABLE", "another part")
				return
			}
			if got.status != test.status || got.body != test.body || got.broken || got.length != int64(len(test.body)) {
				t.Errorf("got %d %q (length %d, broken %t), want %d %q", got.status, got.body, got.length, got.broken, test.status, test.body)
			}
			wantHeader(t, got, "Content-Range", test.rangeOut)
		})
	}
}

func TestRangeBehindTheEndIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
		return nil, &oci.Error{Code: oci.CodeRangeInvalid}
	}
	wantError(t, w.do(t, "GET", blobPath(), "Range", "bytes=100-"), 416, "RANGE_INVALID", "")
}

// A body that turns out wrong never ends clean, and where a length is announced
// it never arrives whole, not even when the fault shows only at its very end.
func TestBodyThatBreaksNeverEndsClean(t *testing.T) {
	broken := func(content string) io.ReadCloser {
		return io.NopCloser(io.MultiReader(strings.NewReader(content), iotest.ErrReader(errBroken)))
	}
	wrapped := func(content string) io.ReadCloser {
		return io.NopCloser(io.MultiReader(strings.NewReader(content), iotest.ErrReader(fmt.Errorf("proxy: %w", io.EOF))))
	}
	large := strings.Repeat("x", 1<<20)
	tests := map[string]struct {
		body io.ReadCloser
		size int64
	}{
		"in the middle, length known":            {broken("01234"), 10},
		"in the middle, length not known":        {broken("01234"), -1},
		"at the end, length known":               {broken("0123456789"), 10},
		"at the end, length not known":           {broken("0123456789"), -1},
		"at the end of much, length known":       {broken(large), int64(len(large))},
		"at the end of much, byte by byte":       {io.NopCloser(iotest.OneByteReader(broken(large[:5000]))), 5000},
		"with the last bytes":                    {io.NopCloser(iotest.DataErrReader(broken("0123456789"))), 10},
		"at once":                                {broken(""), 10},
		"a body that is shorter than its length": {io.NopCloser(strings.NewReader("01234")), 10},
		"a body that is longer than its length":  {io.NopCloser(strings.NewReader("0123456789x")), 10},
		"a body of one byte":                     {broken("0"), 1},
		"an end inside of an error":              {wrapped("01234"), -1},
		"a body that makes no progress":          {io.NopCloser(stuck{}), 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
				return &oci.Blob{Body: test.body, Size: test.size}, nil
			}
			got, err := w.try(t.Context(), "GET", blobPath())
			if got.status == 502 {
				return // It broke before anything of it was sent.
			}
			if err == nil && !got.broken {
				t.Errorf("got %d with %d bytes and a clean end", got.status, len(got.body))
			}
			if test.size >= 0 && int64(len(got.body)) >= test.size {
				t.Errorf("got all %d bytes", len(got.body))
			}
		})
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestBodiesOfAllSizesArriveWhole(t *testing.T) {
	w := newWorld(t, nil)
	for _, size := range []int{0, 1, 2, 4095, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 + 7} {
		content := strings.Repeat("abcdefg", size/7+1)[:size]
		for name, body := range map[string]io.Reader{
			"":                     strings.NewReader(content),
			" with data and error": iotest.DataErrReader(strings.NewReader(content)),
			" in halves":           iotest.HalfReader(strings.NewReader(content)),
		} {
			for _, announced := range []int64{int64(size), -1} {
				if name == " in halves" && announced < 0 {
					continue // the reader is spent
				}
				w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
					return &oci.Blob{Body: io.NopCloser(body), Size: announced}, nil
				}
				if s, ok := body.(io.Seeker); ok {
					if _, err := s.Seek(0, io.SeekStart); err != nil {
						t.Fatal(err)
					}
				} else if announced < 0 {
					continue
				}
				got := w.do(t, "GET", blobPath())
				if got.status != 200 || got.body != content || got.broken {
					t.Errorf("%d bytes%s, announced %d: got %d with %d bytes, broken %t", size, name, announced, got.status, len(got.body), got.broken)
				}
			}
		}
	}
}

func TestBlobErrorsAreAnswers(t *testing.T) {
	w := newWorld(t, nil)
	w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
		return nil, &oci.Error{Code: oci.CodeBlobUnknown}
	}
	wantError(t, w.do(t, "GET", blobPath()), 404, "BLOB_UNKNOWN", "")
	w.upstream.head = func(context.Context) (int64, error) { return 0, &oci.Error{Code: oci.CodeUpstream} }
	if got := w.do(t, "HEAD", blobPath()); got.status != 502 {
		t.Errorf("got %d, want 502", got.status)
	}
	w.upstream.head = func(context.Context) (int64, error) { return -1, nil }
	if got := w.do(t, "HEAD", blobPath()); got.status != 200 || got.length != -1 {
		t.Errorf("got %d with length %d, want 200 without one", got.status, got.length)
	}
}

func TestOpeningHasATimeoutAndTheBodyHasNot(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *proxy.Config) { cfg.Timeout = 50 * time.Millisecond })
	w.upstream.open = func(ctx context.Context, _ string) (*oci.Blob, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("open blob: %w", ctx.Err())
	}
	wantError(t, w.do(t, "GET", blobPath()), 504, "UNAVAILABLE", "in time")

	begin := strings.Repeat("x", 512) // what is looked at before anything is sent
	w.upstream.open = func(ctx context.Context, _ string) (*oci.Blob, error) {
		body := io.MultiReader(strings.NewReader(begin), lateReader{ctx, strings.NewReader("0123456789")})
		return &oci.Blob{Body: io.NopCloser(body), Size: int64(len(begin)) + 10}, nil
	}
	if got := w.do(t, "GET", blobPath()); got.status != 200 || got.body != begin+"0123456789" {
		t.Errorf("got %d %q (broken %t), want a body that outlives the timeout", got.status, got.body, got.broken)
	}
}

// lateReader begins well after the handler's timeout, unless its context ends.
type lateReader struct {
	ctx  context.Context
	next io.Reader
}

func (r lateReader) Read(b []byte) (int, error) {
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return r.next.Read(b)
	}
}

func TestBodyOfALeavingClientIsClosed(t *testing.T) {
	w := newWorld(t, nil)
	closed := make(chan struct{})
	w.upstream.open = func(ctx context.Context, _ string) (*oci.Blob, error) {
		return &oci.Blob{Body: endless{ctx, closed}, Size: -1}, nil
	}
	res, err := http.Get(w.url + blobPath())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	<-closed
}

type endless struct {
	ctx    context.Context
	closed chan struct{}
}

func (e endless) Read(b []byte) (int, error) { return len(b), e.ctx.Err() }
func (e endless) Close() error               { close(e.closed); return nil }

// HTTP/1.0 has no chunks: without a length the end of the connection would be
// the end of the body, broken or not.
func TestUnknownLengthIsRefusedToOldClients(t *testing.T) {
	w := newWorld(t, nil)
	w.upstream.open = func(context.Context, string) (*oci.Blob, error) { return blobOf("0123456789", -1, ""), nil }
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", blobPath())
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); res.StatusCode != 502 || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %v, want 502", res.StatusCode, err)
	}
}
