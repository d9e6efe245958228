package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
)

// Whatever a blob is, looking at it ends in an answer, changes no byte of what is
// served, and no index or manifest gets through without a decision of its own.
func FuzzBlobInspection(f *testing.F) {
	f.Add([]byte(`{"manifests":[]}`), false)
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"`+blobDigest.String()+`"},"layers":[]}`), true)
	f.Add(bytes.Repeat([]byte(" "), 600), false)
	f.Add(append(bytes.Repeat([]byte("\n"), 511), `{"layers":[{"digest":""}]}`...), false)
	f.Add([]byte("\x1f\x8b"), true)
	f.Fuzz(func(t *testing.T, content []byte, slowly bool) {
		var w world
		w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
			var body io.Reader = bytes.NewReader(content)
			if slowly {
				body = iotest.OneByteReader(body)
			}
			return &oci.Blob{Body: io.NopCloser(body), Size: int64(len(content))}, nil
		}
		judged := false
		w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
			w.decider.mu.Lock()
			defer w.decider.mu.Unlock()
			judged = len(w.decider.list) > 1
			d := allow(blobDigest)
			d.Vouched = slowly
			return d, nil
		}
		h := proxy.New(&w.resolver, &w.upstream, &w.upstream, &w.decider, proxy.Config{
			Listed: func(string) bool { return true }, Revision: func() string { return "r1" },
		})
		res := httptest.NewRecorder()
		h.ServeHTTP(res, httptest.NewRequest(http.MethodGet, blobPath(), http.NoBody))
		switch {
		case res.Code == http.StatusOK && !bytes.Equal(res.Body.Bytes(), content):
			t.Errorf("got %q, want %q", res.Body, content)
		case res.Code != http.StatusOK && res.Code != http.StatusBadGateway:
			t.Errorf("got status %d", res.Code)
		}
		var index struct{ Manifests []struct{ Digest *string } }
		if json.Unmarshal(content, &index) == nil && len(index.Manifests) > 0 && index.Manifests[0].Digest != nil && res.Code == http.StatusOK && !judged {
			t.Errorf("%q was served without a decision of its own", content)
		}
	})
}
