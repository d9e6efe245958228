package admission_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/admission"
)

// escaped is a pod with an env value that is all `<`, which JSON by the API server
// has as six bytes each.
func escaped(image string, n int) object {
	p := pod("containers", image)
	p["containers"].([]any)[0].(object)["env"] = []any{object{"name": "X", "value": strings.Repeat("<", n)}}
	return p
}

// many is a pod of n containers.
func many(n int, first string) object {
	images := make([]any, n)
	for i := range images {
		images[i] = object{"name": fmt.Sprintf("c%d", i), "image": signed, "terminationMessagePath": strings.Repeat("x", 400)}
	}
	images[0].(object)["image"] = first
	return object{"containers": images}
}

func TestAnObjectDoesNotGetPastByItsSize(t *testing.T) {
	w := newWorld(t)
	for name, request := range map[string]object{
		"created, of letters that are escaped": create("Pod", escaped(unsigned, 560_000)),
		"the same in a template":               create("Deployment", escaped(unsigned, 560_000)),
		"changed, both objects large":          change("Pod", escaped(signed, 3<<20), escaped(unsigned, 3<<20)),
		"changed, many containers":             change("Pod", many(6_000, signed), many(6_000, unsigned)),
	} {
		body := review(t, request)
		if len(body) <= 3<<20 {
			t.Errorf("%s: %d bytes are not many", name, len(body))
		}
		if got := w.validate(request); got.Allowed || got.Status.Code != 403 || !strings.Contains(got.Status.Message, "prod-signed") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	large := with(create("Pod", escaped(signed, 3<<20)), "oldObject", nil)
	if got := w.validate(large); !got.Allowed {
		t.Errorf("a large pod with a good image: got %+v", got)
	}
}

func TestMoreContainersThanAreReadAreRefused(t *testing.T) {
	w := newWorld(t)
	for n, code := range map[int]int{10_000: 0, 10_001: 413} {
		body := review(t, create("Pod", many(n, signed)))
		got := w.post("/validate", body)
		if code != 0 {
			w.unjudged("many", "/validate", got, code)
			w.unjudged("many", "/mutate", w.post("/mutate", body), code)
		} else if !strings.Contains(got.Body.String(), `"allowed":true`) {
			t.Errorf("%d: got %.300s", n, got.Body)
		}
	}
}

func TestWhatWasNotJudgedIsAllowedWhereNothingEnforces(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Enforces = func() bool { return false } })
	got := w.post("/validate", review(t, with(create("Pod", pod("containers", signed)), "operation", "PATCH")))
	var v struct{ Response answer }
	check(t, json.Unmarshal(got.Body.Bytes(), &v))
	if !v.Response.Allowed || len(v.Response.Warnings) != 1 {
		t.Errorf("got %+v", v.Response)
	}
	contains(t, strings.Join(v.Response.Warnings, ""), "the review was not judged")
}

// TestEscapedNamesAreTheSameNames: JSON has many ways to write one.
func TestEscapedNamesAreTheSameNames(t *testing.T) {
	w := newWorld(t)
	body := string(review(t, create("Pod", pod("containers", unsigned))))
	for old, now := range map[string]string{`"image":`: `"\u0069mage" :`, `"containers":`: `"c\u006Fntainers":`, `"spec":`: "\n\"\\u0073pec\"\t:"} {
		if got := w.post("/validate", []byte(strings.Replace(body, old, now, 1))); !strings.Contains(got.Body.String(), `"allowed":false`) {
			t.Errorf("%s: got %s", now, got.Body)
		}
	}
}

// TestSilentClientsStarveNobody: what a client announces and does not send costs it
// its own connection.
func TestSilentClientsStarveNobody(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Observe = nil })
	w.known(signed, unsigned)
	server := httptest.NewUnstartedServer(w.handler)
	reading := make(chan struct{}, 200)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateActive {
			reading <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	begin := time.Now()
	var silent []net.Conn
	for range 100 {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		check(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "POST /validate?timeout=30s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3145728\r\n\r\n{")
		check(t, err)
		silent = append(silent, c)
	}
	for range silent {
		select {
		case <-reading:
		case <-t.Context().Done():
			t.Fatal("not all are being read")
		}
	}
	asked := time.Now()
	answer, err := server.Client().Post(server.URL+"/validate?timeout=10s", "application/json", bytes.NewReader(review(t, create("Pod", pod("containers", unsigned)))))
	check(t, err)
	defer answer.Body.Close()
	if took := time.Since(asked); answer.StatusCode != 200 || took > time.Second {
		t.Errorf("HTTP %d after %v", answer.StatusCode, took)
	}
	for _, c := range silent {
		check(t, c.SetReadDeadline(begin.Add(6*time.Second)))
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "400") {
			t.Fatalf("a silent client got %q, %v after %v", line, err, time.Since(begin))
		}
	}
}

// TestMemoryOfLargeReviews sends twenty at once that have a million containers each.
func TestMemoryOfLargeReviews(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Observe = nil })
	head := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"0b7f","kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"prod","operation":"CREATE","object":{"spec":{"containers":[`
	body := []byte(head + strings.Repeat("{},", 1<<20) + `{}]}}}}`)
	var idle, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&idle)
	begin := time.Now()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			target := []string{"/validate", "/mutate"}[i%2]
			w.unjudged("empty containers", target, serve(w.handler, target, body), 413)
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	peak := uint64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(5 * time.Millisecond):
		}
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, idle.HeapAlloc))
	}
	grown := now.Sys - idle.Sys
	t.Logf("%v, heap at most %d MiB over idle, %d MiB more from the system", time.Since(begin), peak>>20, grown>>20)
	if peak > 128<<20 || grown > 128<<20 {
		t.Errorf("heap %d MiB over idle, %d MiB from the system", peak>>20, grown>>20)
	}
}

// TestWhatThePullWillNotJudgeIsNotLeftToIt: without contact, only what is pulled
// through the gateway may be unknown.
func TestWhatThePullWillNotJudgeIsNotLeftToIt(t *testing.T) {
	through := pullHost + "/" + unsigned
	for name, c := range map[string]struct {
		host, kind, image string
		code              int
	}{
		"a pod that was rewritten":                   {pullHost, "Pod", through, 0},
		"a pod that was not":                         {pullHost, "Pod", unsigned, 503},
		"a template, whose pods will be":             {pullHost, "Deployment", unsigned, 0},
		"a pod on nodes that are configured instead": {"", "Pod", unsigned, 0},
	} {
		w := newWorld(t, func(cfg *admission.Config) { cfg.ContactRegistries, cfg.PullHost = false, c.host })
		got := w.validate(create(c.kind, pod("containers", c.image)))
		if got.Status.Code != c.code {
			t.Errorf("%s: got %+v, want %d", name, got, c.code)
		}
	}
}
