package e2e_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"vouchsafe/e2e/internal/gateway"
)

// TestTraces lets a collector listen: the spans of a pull arrive, and its audit
// record names their trace, whatever the client's own headers say.
func TestTraces(t *testing.T) {
	var mu sync.Mutex // guards spans
	var spans bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		if err != nil || r.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		spans.Write(body)
	}))
	defer collector.Close()
	sent := func(part []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Contains(spans.Bytes(), part)
	}
	o := newSlowOrigin(t, 1<<10)
	g := gateway.Start(t, informing(t, o.host), "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=100")
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	request, err := http.NewRequest(http.MethodGet, "http://"+g.Host+"/v2/docker.io/acme/herd/manifests/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close() != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s", response.Status)
	}
	var record struct{ TraceID string }
	for line := range strings.Lines(g.AuditText(t)) {
		if strings.Contains(line, `"kind":"pull"`) {
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatal(err)
			}
		}
	}
	id, err := hex.DecodeString(record.TraceID)
	if err != nil || len(id) != 16 || record.TraceID == theirs {
		t.Fatalf("the record names the trace %q, want one of the gateway's own", record.TraceID)
	}
	for _, part := range []string{"vouchsafe", "registry GET", "resolve", "decide", "upstream GET", "vouchsafe.verdict", string(id)} {
		g.Await(t, "a span with "+part, func() bool { return sent([]byte(part)) })
	}
	if sent([]byte("b7ad6b7169203331")) {
		t.Error("a span belongs to the client's own")
	}
}
