package upstream_test

import (
	"crypto/sha512"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
)

func TestGetManifest(t *testing.T) {
	body := []byte(`{"schemaVersion":2}`)
	sum := sha512.Sum512(body)
	long, err := oci.ParseDigest("sha512:" + hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// A digest header says nothing about the bytes.
		w.Header().Set("Docker-Content-Digest", oci.SHA256([]byte("other")).String())
		_, _ = w.Write(body)
	})
	client := open(t, s.host(), s.spec(), nil)
	for _, digest := range []oci.Digest{{}, oci.SHA256(body), long} {
		got, err := client.GetManifest(t.Context(), s.image().WithDigest(digest))
		if err != nil || string(got.Bytes) != string(body) || got.ContentType != "text/html; charset=utf-8" {
			t.Errorf("%q: got %q, %v", digest, got, err)
		}
		name := digest.String()
		if name == "" {
			name = "1"
		}
		asked := s.take()
		if len(asked) != 1 || asked[0].line != "GET /v2/acme/api/manifests/"+name {
			t.Errorf("%q: asked %v", digest, asked)
		}
		if want := strings.Join(oci.ManifestMediaTypes, ", "); asked[0].header.Get("Accept") != want {
			t.Errorf("Accept: got %q, want %q", asked[0].header.Get("Accept"), want)
		}
	}
	_, err = client.GetManifest(t.Context(), s.image().WithDigest(oci.SHA256([]byte("other"))))
	wantCode(t, err, oci.CodeUpstream, "digest_mismatch")
}

func TestManifestStatus(t *testing.T) {
	const unknownName = `{"errors":[{"code":"NAME_UNKNOWN","message":"x"}]}`
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		code   oci.Code
		reason string
	}{
		{"404", status(404, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`), oci.CodeManifestUnknown, ""},
		{"404 of the repository", status(404, unknownName), oci.CodeNameUnknown, ""},
		{"404 in HTML", status(404, "<html>"), oci.CodeManifestUnknown, ""},
		{"401", status(401, ""), oci.CodeUnauthorized, ""},
		{"403", status(403, unknownName), oci.CodeUnauthorized, ""},
		{"429", status(429, ""), oci.CodeBusy, "paused"},
		{"400", status(400, ""), oci.CodeUpstream, "status"},
		{"500", status(500, ""), oci.CodeUpstream, "status"},
		{"503", status(503, ""), oci.CodeUpstream, "status"},
		{"204", status(204, ""), oci.CodeUpstream, "status"},
		{"206", status(206, "{}"), oci.CodeUpstream, "status"},
		{"304", status(304, ""), oci.CodeUpstream, "status"},
		{"content-encoded", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			writeString(w, "x")
		}, oci.CodeUpstream, "content_encoding"},
		{"shorter than announced", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), oci.CodeUpstream, "interrupted"},
		{"two lengths", raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"), oci.CodeUpstream, "bad_answer"},
		{"a broken chunk", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), oci.CodeUpstream, "interrupted"},
		{"no HTTP", raw("SSH-2.0-OpenSSH\r\n"), oci.CodeUpstream, "bad_answer"},
		{"a header without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 200<<10))
		}, oci.CodeUpstream, "header_too_large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			_, err := open(t, s.host(), s.spec(), nil).GetManifest(t.Context(), s.image())
			wantCode(t, err, row.code, row.reason)
		})
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		if code != 204 && code != 304 {
			writeString(w, body)
		}
	}
}

// raw answers with exactly these bytes and ends the connection.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte(answer))
		// The other side ends it: a kernel that is short of memory resets sockets
		// that nobody holds any more, with what was not read yet.
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}

func TestManifestSizes(t *testing.T) {
	for _, row := range []struct {
		name     string
		size     int
		declared bool
		want     oci.Code
	}{
		{"as large as allowed", oci.MaxManifestBytes, true, 0},
		{"as large as allowed, in chunks", oci.MaxManifestBytes, false, 0},
		{"one byte more", oci.MaxManifestBytes + 1, true, oci.CodeManifestInvalid},
		{"one byte more, in chunks", oci.MaxManifestBytes + 1, false, oci.CodeManifestInvalid},
		{"300 MiB in chunks", 300 << 20, false, oci.CodeManifestInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.declared {
					w.Header().Set("Content-Length", itoa(row.size))
				}
				chunk := make([]byte, 64<<10)
				for left := row.size; left > 0; left -= len(chunk) {
					if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
						return
					}
				}
			})
			client := open(t, s.host(), s.spec(), nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := client.GetManifest(t.Context(), s.image())
			runtime.ReadMemStats(&after)
			if row.want == 0 && err != nil {
				t.Fatal(err)
			} else if row.want != 0 {
				wantCode(t, err, row.want, "too_large")
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
				t.Errorf("allocated %d MiB", grown>>20)
			}
		})
	}
}

func TestDeclaredLengthIsNotAllocated(t *testing.T) {
	s := serve(t, raw("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n{}"))
	client := open(t, s.host(), s.spec(), nil)
	_, err := client.GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeManifestInvalid, "too_large")
}

func TestHeadManifest(t *testing.T) {
	digest := oci.SHA256(content)
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		want   oci.Digest
		code   oci.Code
	}{
		{"a digest", digestHeader(digest.String()), digest, 0},
		{"no digest", status(200, ""), oci.Digest{}, 0},
		{"what is no digest", digestHeader("sha256:../../etc"), oci.Digest{}, 0},
		{"no HEAD", status(405, ""), oci.Digest{}, 0},
		{"404", status(404, ""), oci.Digest{}, oci.CodeManifestUnknown},
		{"500", status(500, ""), oci.Digest{}, oci.CodeUpstream},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			got, err := open(t, s.host(), s.spec(), nil).HeadManifest(t.Context(), s.image())
			if got != row.want || err == nil != (row.code == 0) || err != nil && oci.CodeOf(err) != row.code {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func digestHeader(digest string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Docker-Content-Digest", digest) }
}

func TestNamesThatAreNoneAreNotAsked(t *testing.T) {
	s := serve(t, good)
	client := open(t, s.host(), s.spec(), nil)
	for _, path := range []string{"", "..", "../../secret", "acme/../api", "acme/api?x", "acme/%2e%2e", "ACME/api", "acme//api"} {
		ref := s.image()
		ref.Repository.Path = path
		_, err := client.GetManifest(t.Context(), ref)
		wantCode(t, err, oci.CodeNameInvalid, "")
	}
	for _, tag := range []string{"", "..", "a/b", "1?x", strings.Repeat("a", 129)} {
		ref := s.image()
		ref.Tag = tag
		_, err := client.GetManifest(t.Context(), ref)
		wantCode(t, err, oci.CodeTagInvalid, "")
	}
	_, err := client.HeadBlob(t.Context(), s.repository(), oci.Digest{})
	wantCode(t, err, oci.CodeDigestInvalid, "")
	_, err = client.Referrers(t.Context(), s.repository(), oci.Digest{})
	wantCode(t, err, oci.CodeDigestInvalid, "")
	if got := s.lines(); len(got) != 0 {
		t.Errorf("asked: %v", got)
	}
}

func TestEndpointPrefix(t *testing.T) {
	s := serve(t, good)
	spec := s.spec()
	spec.Endpoint += "/artifactory/docker/"
	if _, err := open(t, s.host(), spec, nil).GetManifest(t.Context(), s.image()); err != nil {
		t.Fatal(err)
	}
	if got := s.lines(); len(got) != 1 || got[0] != "GET /artifactory/docker/v2/acme/api/manifests/1" {
		t.Errorf("asked: %v", got)
	}
}

// TestHeaderTooLargeSaysSo holds the words of net/http, for both of its
// protocols.
func TestHeaderTooLargeSaysSo(t *testing.T) {
	flood := func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			w.Header().Add("X-A", strings.Repeat("x", 100))
		}
	}
	plain := serve(t, flood)
	second := &server{}
	second.Server = httptest.NewUnstartedServer(second.recording(flood))
	second.EnableHTTP2 = true
	second.StartTLS()
	t.Cleanup(second.Close)
	for name, s := range map[string]*server{"HTTP/1.1": plain, "HTTP/2": second} {
		spec := s.spec()
		read := files(nil)
		if s == second {
			spec.CAFile = "ca.pem"
			read = files(map[string]string{"ca.pem": s.certificate()})
		}
		_, err := open(t, s.host(), spec, read).GetManifest(t.Context(), s.image())
		wantCode(t, err, oci.CodeUpstream, "header_too_large")
		if got, want := wireMessage(err), "has more than 65536 bytes"; !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
