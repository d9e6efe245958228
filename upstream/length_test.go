package upstream_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

// TestLyingLengths: whatever an answer says of its own length, it is content by
// its digest or an error that says what happened.
func TestLyingLengths(t *testing.T) {
	body := string(noise(40_000))
	answer := func(header, body string) http.HandlerFunc {
		return raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + header + "\r\n" + body)
	}
	chunked := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	n := len(body)
	for _, row := range []struct {
		name   string
		handle http.HandlerFunc
		// manifest and blob are the reasons; "" is the content, right to its end.
		manifest, blob string
	}{
		{"right", answer(fmt.Sprintf("Content-Length: %d\r\n", n), body), "", ""},
		{"absent", answer("Connection: close\r\n", body), "", ""},
		{"absent, and cut", answer("Connection: close\r\n", body[:n-1]), "digest_mismatch", "digest_mismatch"},
		{"too long", answer(fmt.Sprintf("Content-Length: %d\r\n", n+1), body), "interrupted", "interrupted"},
		{"too short", answer(fmt.Sprintf("Content-Length: %d\r\n", n-1), body), "digest_mismatch", "digest_mismatch"},
		{"zero", answer("Content-Length: 0\r\n", body), "digest_mismatch", "digest_mismatch"},
		{"negative", answer("Content-Length: -1\r\n", body), "bad_answer", "bad_answer"},
		{"no number", answer("Content-Length: many\r\n", body), "bad_answer", "bad_answer"},
		{"a sign", answer(fmt.Sprintf("Content-Length: +%d\r\n", n), body), "bad_answer", "bad_answer"},
		{"a list", answer(fmt.Sprintf("Content-Length: %d, %d\r\n", n, n), body), "bad_answer", "bad_answer"},
		{"more than there is memory", answer("Content-Length: 9223372036854775807\r\n", body), "too_large", "interrupted"},
		{"more than an integer", answer("Content-Length: 99999999999999999999\r\n", body), "bad_answer", "bad_answer"},
		{"twice the same", answer(fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n, n), body), "", ""},
		{"two that differ", answer(fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n, n-1), body), "bad_answer", "bad_answer"},
		// The chunks count (RFC 9112, section 6.3), and the digest in any case.
		{"with chunks", answer(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", n-1), chunked(body)), "", ""},
		{"with chunks that are cut", answer(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", n), chunked(body)[:n-10]), "interrupted", "interrupted"},
		{"chunks without end", answer("Transfer-Encoding: chunked\r\n", strings.TrimSuffix(chunked(body), "0\r\n\r\n")), "interrupted", "interrupted"},
		{"a chunk that is no number", answer("Transfer-Encoding: chunked\r\n", "zz\r\n"+body), "interrupted", "interrupted"},
		{"a chunk of negative length", answer("Transfer-Encoding: chunked\r\n", "-1\r\n"+body), "interrupted", "interrupted"},
		{"another transfer coding", answer("Transfer-Encoding: gzip\r\n", body), "bad_answer", "bad_answer"},
		{"chunked twice", answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked(body)), "bad_answer", "bad_answer"},
		{"some 1xx before", raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 5) + "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body), "", ""},
		{"a flood of 1xx", func(w http.ResponseWriter, _ *http.Request) {
			flood(w, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
		}, "header_too_large", "header_too_large"},
		{"a header without end", func(w http.ResponseWriter, _ *http.Request) {
			flood(w, "HTTP/1.1 200 OK\r\n", "X-Filler: yes\r\n")
		}, "header_too_large", "header_too_large"},
		{"a header line without end", func(w http.ResponseWriter, _ *http.Request) {
			flood(w, "HTTP/1.1 200 OK\r\nX: ", "xxxxxxxxxxxxxxxx")
		}, "header_too_large", "header_too_large"},
		{"a change of protocol", raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + body), "status", "status"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.handle)
			spec := s.spec()
			spec.Timeouts = &upstream.TimeoutsSpec{Header: short(5 * time.Second), Idle: short(time.Second)}
			client := open(t, s.host(), spec, nil)
			digest := oci.SHA256([]byte(body))
			manifest, err := client.GetManifest(t.Context(), oci.Reference{Repository: s.repository(), Digest: digest})
			wantContent(t, "manifest", body, manifest.Bytes, err, row.manifest)
			blob, err := client.OpenBlob(t.Context(), s.repository(), digest, "")
			var got []byte
			if err == nil {
				defer blob.Body.Close()
				got, err = io.ReadAll(blob.Body)
			}
			wantContent(t, "blob", body, got, err, row.blob)
		})
	}
}

// wantContent fails unless got is body, or err has reason and got is not whole.
func wantContent(t *testing.T, what, body string, got []byte, err error, reason string) {
	t.Helper()
	if upstream.ReasonOf(err) != reason {
		t.Errorf("%s: got %q, want %q: %v", what, upstream.ReasonOf(err), reason, err)
	}
	if whole := bytes.Equal(got, []byte(body)); whole != (reason == "") {
		t.Errorf("%s: got %d bytes of %d, %v", what, len(got), len(body), err)
	}
	if code := oci.CodeOf(err); err != nil && code.Status() < 400 {
		t.Errorf("%s: got %v", what, code)
	}
}

// flood sends first, and then more, or else first, until nobody takes it.
func flood(w http.ResponseWriter, first string, more ...string) {
	conn, out, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	again := strings.Join(append(more, ""), "")
	if again == "" {
		again = first
	}
	_, _ = out.WriteString(first)
	for range 1 << 20 {
		if _, err := out.WriteString(again); err != nil {
			return
		}
	}
}
