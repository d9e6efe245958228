package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
)

// lines is a log; each Write is one line.
type lines chan []byte

func (l lines) Write(p []byte) (int, error) {
	l <- bytes.Clone(p)
	return len(p), nil
}

// next waits for a line: it is written after the answer has left.
func (l lines) next(t *testing.T) map[string]any {
	t.Helper()
	var line map[string]any
	select {
	case raw := <-l:
		if err := json.Unmarshal(raw, &line); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no line was written")
	}
	return line
}

func logged(t *testing.T, level slog.Level) (*world, lines) {
	t.Helper()
	log := make(lines, 64)
	return newWorld(t, func(_ *world, cfg *proxy.Config) {
		cfg.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level}))
	}), log
}

func wantLine(t *testing.T, got, want map[string]any) {
	t.Helper()
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: got %v, want %v", key, got[key], value)
		}
	}
}

func TestOneLineForEachRequest(t *testing.T) {
	w, log := logged(t, slog.LevelInfo)
	w.do(t, "GET", "/v2/nginx/manifests/1.27", "X-Request-Id", `a"b`+strings.Repeat("c", 200))
	got := log.next(t)
	wantLine(t, got, map[string]any{
		"level": "INFO", "msg": "request", "op": "manifest", "verb": "GET", "status": 200.0, "bytes": float64(len(manifestBytes)),
		"client": "127.0.0.1", "image": nginx + ":1.27", "decision": "01D", "verdict": "Allow", "requestID": `a"b` + strings.Repeat("c", 125),
	})
	if ms, ok := got["durationMs"].(float64); !ok || ms <= 0 || ms > 60_000 {
		t.Errorf("durationMs is %v, want milliseconds", got["durationMs"])
	}
	if _, ok := got["error"]; ok {
		t.Errorf("an error on a good request: %v", got)
	}

	w.resolver.on = func(context.Context, oci.Reference) (oci.Image, error) {
		return oci.Image{}, &oci.Error{Code: oci.CodeUpstream, Message: "the registry failed", Err: errBroken}
	}
	w.do(t, "GET", "/v2/nginx/manifests/1.27")
	wantLine(t, log.next(t), map[string]any{"level": "INFO", "status": 502.0, "error": "the registry failed: " + errBroken.Error(), "decision": nil})

	w.resolver.on = func(context.Context, oci.Reference) (oci.Image, error) { panic("canary") }
	w.do(t, "GET", "/v2/nginx/manifests/1.27")
	got = log.next(t)
	wantLine(t, got, map[string]any{"level": "ERROR", "status": 500.0})
	if text := fmt.Sprint(got["error"]); !strings.Contains(text, "canary") || !strings.Contains(text, "exchange_test.go") {
		t.Errorf("the log has neither panic nor stack: %s", text)
	}
	w.do(t, "POST", "/v2/nginx/manifests/1.27")
	wantLine(t, log.next(t), map[string]any{"op": "other", "verb": "POST", "status": 405.0})
}

func TestGoodBlobsAreLoggedAtDebugAndBrokenOnesAtInfo(t *testing.T) {
	w, log := logged(t, slog.LevelDebug)
	w.do(t, "GET", blobPath())
	wantLine(t, log.next(t), map[string]any{"level": "DEBUG", "op": "blob", "status": 200.0, "bytes": 10.0})
	w.upstream.open = func(context.Context, string) (*oci.Blob, error) {
		return &oci.Blob{Body: io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("01234", 1000)), readError{})), Size: 5010}, nil
	}
	if got, err := w.try(t.Context(), "GET", blobPath()); err == nil && !got.broken {
		t.Errorf("got a clean end: %v", got)
	}
	wantLine(t, log.next(t), map[string]any{"level": "INFO", "op": "blob", "status": 200.0, "error": "read blob: " + errBroken.Error()})
	w.decider.on = func(context.Context, policy.Request) (policy.Decision, error) {
		return policy.Decision{ID: "1", Verdict: policy.Deny, Revision: "r1"}, nil
	}
	w.do(t, "GET", blobPath())
	wantLine(t, log.next(t), map[string]any{"level": "INFO", "status": 403.0, "verdict": "Deny"})
}

type readError struct{}

func (readError) Read([]byte) (int, error) { return 0, errBroken }

func TestClientThatLeavesIsRecordedAsGone(t *testing.T) {
	w, log := logged(t, slog.LevelInfo)
	entered := make(chan struct{})
	w.resolver.on = func(ctx context.Context, _ oci.Reference) (oci.Image, error) {
		close(entered)
		<-ctx.Done()
		return oci.Image{}, ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-entered
		leave()
	}()
	if _, err := w.try(ctx, "GET", "/v2/nginx/manifests/1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantLine(t, log.next(t), map[string]any{"status": 499.0, "op": "manifest"})
}

func TestEveryRequestIsObservedOnce(t *testing.T) {
	type seen struct {
		op     string
		status int
	}
	observed := make(chan seen, 1)
	w := newWorld(t, func(_ *world, cfg *proxy.Config) {
		cfg.Observe = func(op string, status int, took time.Duration) {
			if took <= 0 {
				t.Errorf("took %s", took)
			}
			observed <- seen{op, status}
		}
	})
	for target, want := range map[string]seen{
		"/v2/":                           {"ping", 200},
		"/v2/nginx/manifests/1":          {"manifest", 200},
		blobPath():                       {"blob", 200},
		"/v2/nginx/tags/list":            {"tags", 200},
		"/v2/evil.example/a/b/c":         {"other", 404},
		"/v2/evil.example/a/manifests/1": {"manifest", 404},
		"/v2/nginx/referrers/" + manifestDigest.String():    {"referrers", 200},
		"/v2/nginx/manifests/" + strings.Repeat("x", 1<<14): {"other", 400},
	} {
		w.do(t, "GET", target)
		if got := <-observed; got != want {
			t.Errorf("%.60s: got %v, want %v", target, got, want)
		}
	}
}

func TestTraceIsInTheQuestionAndInTheLog(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	log := make(lines, 1)
	w := newWorld(t, func(_ *world, cfg *proxy.Config) {
		cfg.Log = slog.New(slog.NewJSONHandler(log, nil))
		cfg.TraceID = func(context.Context) string { return id }
	})
	w.do(t, "GET", "/v2/nginx/manifests/1", "Traceparent", "00-11111111111111111111111111111111-1111111111111111-01")
	if w.decider.last.Client.TraceID != id {
		t.Errorf("got %q, want our own trace's id", w.decider.last.Client.TraceID)
	}
	wantLine(t, log.next(t), map[string]any{"op": "manifest", "traceID": id})
}
