package upstream_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestSpans(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	s, _ := tokenServer(t, script(status(500, ""), func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) }))
	handle := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			t.Error("the trace went to the registry")
		}
		if strings.Contains(r.URL.Path, "/blobs/") && r.Header.Get("Authorization") != "" {
			http.Redirect(w, r, elsewhere.URL+"/x?signature=canary", http.StatusTemporaryRedirect)
			return
		}
		handle.ServeHTTP(w, r)
	})
	spec := s.spec()
	spec.RedirectHosts = []string{elsewhere.host()}
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })
	client := openWith(t, s.host(), spec, nil, upstream.Config{Tracer: provider.Tracer("test")})
	blob, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(content), "")
	if err != nil {
		t.Fatal(err)
	}
	_ = blob.Body.Close()
	_, err = client.SmallBlob(t.Context(), s.repository(), oci.SHA256(content), 1)
	wantCode(t, err, oci.CodeUpstream, "too_large")
	var got []string
	for _, span := range exporter.GetSpans() {
		line := span.Name + " " + span.Status.Code.String()
		for _, a := range span.Attributes {
			line += fmt.Sprintf(" %s=%v", a.Key, a.Value.String())
		}
		got = append(got, strings.ReplaceAll(line, s.host(), "SELF"))
	}
	want := []string{
		"upstream GET Error registry=SELF http.request.resend_count=0 http.response.status_code=401",
		"upstream GET Unset registry=SELF http.request.resend_count=1 http.response.status_code=200",
		"upstream GET Unset registry=SELF http.request.resend_count=0 http.response.status_code=200",
		"upstream GET Unset registry=SELF http.request.resend_count=0 http.response.status_code=200",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	exporter.Reset()
	elsewhere.Close()
	if _, err := client.OpenBlob(t.Context(), s.repository(), oci.SHA256(content), ""); err == nil {
		t.Fatal("got no error")
	}
	if spans := exporter.GetSpans(); len(spans) != 1 || spans[0].Status.Description != "upstream trouble connect" {
		t.Errorf("got %+v", spans)
	} else if strings.Contains(fmt.Sprintf("%+v", spans), "canary") {
		t.Error("the span tells the query")
	}
}
