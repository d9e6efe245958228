package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"vouchsafe/oci"
	"vouchsafe/proxy"
)

// newH2World is a world behind TLS with HTTP/2, and a client of it.
func newH2World(t *testing.T, cfg proxy.Config) (*world, *http.Client) {
	t.Helper()
	w := &world{}
	cfg.Listed = func(string) bool { return true }
	cfg.Revision = func() string { return "r1" }
	server := httptest.NewUnstartedServer(proxy.New(&w.resolver, &w.upstream, &w.upstream, &w.decider, cfg))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	w.url = server.URL
	return w, server.Client()
}

func TestBodyThatBreaksIsResetOverHTTP2(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for name, size := range map[string]int64{"length known": int64(len(large)), "length not known": -1} {
		t.Run(name, func(t *testing.T) {
			w, client := newH2World(t, proxy.Config{})
			w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
				return &oci.Blob{Body: io.NopCloser(io.MultiReader(strings.NewReader(large), iotest.ErrReader(errBroken))), Size: size}, nil
			}
			res, err := client.Get(w.url + blobPath())
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK || err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
				t.Errorf("got %s %d and %v, want a stream that is reset", res.Proto, res.StatusCode, err)
			}
			if len(got) >= len(large) {
				t.Errorf("got all %d bytes", len(got))
			}
			// The connection goes on: a reset is of one stream.
			w.upstream.open = nil
			res, err = client.Get(w.url + blobPath())
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if got, err := io.ReadAll(res.Body); err != nil || string(got) != string(blobBytes) {
				t.Errorf("got %q, %v from the next request", got, err)
			}
		})
	}
}

// stalling is a configuration in which a client has a moment for 64 KiB, and the
// end of a request to be waited for.
func stalling() (proxy.Config, <-chan time.Duration) {
	ended := make(chan time.Duration, 1)
	return proxy.Config{
		Stall:   200 * time.Millisecond,
		Observe: func(_ string, _ int, took time.Duration) { ended <- took },
	}, ended
}

// endlessBlob is a blob of 1 TiB.
func endlessBlob(context.Context, string) (*oci.Blob, error) {
	return &oci.Blob{Body: io.NopCloser(zeros{}), Size: 1 << 40}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func wantCut(t *testing.T, ended <-chan time.Duration) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("a client that takes nothing is still served after 20 s")
	}
}

func TestClientThatTakesNothingIsCutOff(t *testing.T) {
	cfg, ended := stalling()
	w := newWorld(t, func(_ *world, c *proxy.Config) { c.Stall, c.Observe = cfg.Stall, cfg.Observe })
	w.upstream.open = endlessBlob
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+blobPath()+" HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	wantCut(t, ended)
}

// Over HTTP/2 the connection is alive and answers pings while one stream of it
// takes nothing.
func TestStreamThatTakesNothingIsCutOff(t *testing.T) {
	cfg, ended := stalling()
	w, client := newH2World(t, cfg)
	w.upstream.open = endlessBlob
	res, err := client.Get(w.url + blobPath())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 {
		t.Fatalf("got %s", res.Proto)
	}
	wantCut(t, ended)
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("got a clean end")
	}
}

// A client that opens windows by a byte at a time does not get a new minute for
// each.
func TestStreamThatTakesByteByByteIsCutOff(t *testing.T) {
	cfg, ended := stalling()
	w, client := newH2World(t, cfg)
	w.upstream.open = endlessBlob
	conn, err := tls.Dial("tcp", strings.TrimPrefix(w.url, "https://"), &tls.Config{
		RootCAs: client.Transport.(*http.Transport).TLSClientConfig.RootCAs, NextProtos: []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: requestBlock(blobPath()),
	})
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			break
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.DataFrame:
			time.Sleep(5 * time.Millisecond)
			framer.WriteWindowUpdate(1, 1)
		case *http2.RSTStreamFrame:
			conn.Close()
		}
	}
	wantCut(t, ended)
}

// requestBlock is the header block of a GET.
func requestBlock(path string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "gateway"}, {":path", path}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return block.Bytes()
}
