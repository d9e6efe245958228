package kube_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"vouchsafe/kube"
	"vouchsafe/oci"
)

// podJSON is a pod with one container, in a status, with much that is not read.
func podJSON(uid, image, imageID, waiting string) json.RawMessage {
	state := `{"running": {"startedAt": "2026-11-24T00:00:00Z"}}`
	if waiting != "" {
		state = fmt.Sprintf(`{"waiting": {"reason": %q, "message": "of the kubelet"}}`, waiting)
	}
	return json.RawMessage(fmt.Sprintf(`{"metadata": {"name": "pod-%[1]s", "namespace": "shop", "uid": %[1]q, "resourceVersion": "7", "managedFields": [{"x": 1}]},
	"spec": {"nodeName": "n1", "containers": [{"name": "app", "image": %[2]q, "env": [{"name": "A", "value": "b"}]}]},
	"status": {"phase": "Running", "containerStatuses": [{"name": "app", "imageID": %[3]q, "state": %[4]s}]}}`, uid, image, imageID, state))
}

// podServer lists and watches pods as a test says.
type podServer struct {
	*server
	mu    sync.Mutex
	pods  map[string]json.RawMessage
	down  int
	watch chan string
}

func newPodServer(t testing.TB) *podServer {
	s := &podServer{server: newServer(t), pods: map[string]json.RawMessage{}, watch: make(chan string)}
	s.mux.HandleFunc("GET /api/v1/pods", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down := s.down
		s.mu.Unlock()
		switch {
		case down != 0:
			answer(w, down, "down")
		case r.URL.Query().Get("watch") == "true":
			s.stream(w, r)
		default:
			s.list(w, r)
		}
	})
	return s
}

// list answers one pod a page.
func (s *podServer) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range s.pods {
			if !yield(name) {
				return
			}
		}
	})
	at, _ := slices.BinarySearch(names, r.URL.Query().Get("continue"))
	var items []json.RawMessage
	next := ""
	if at < len(names) {
		items = append(items, s.pods[names[at]])
	}
	if at+1 < len(names) {
		next = names[at+1]
	}
	answer(w, http.StatusOK, map[string]any{
		"kind": "PodList", "apiVersion": "v1", "metadata": map[string]string{"resourceVersion": "5", "continue": next}, "items": items,
	})
}

// stream hands on what the test sends, until it sends "" or the client leaves.
func (s *podServer) stream(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case line := <-s.watch:
			if line == "" {
				return
			}
			_, _ = fmt.Fprintln(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func (s *podServer) set(down int, pods ...json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	s.pods = map[string]json.RawMessage{}
	for i, p := range pods {
		s.pods[fmt.Sprintf("%03d", i)] = p
	}
}

func event(kind string, pod json.RawMessage) string {
	b, _ := json.Marshal(map[string]any{"type": kind, "object": pod})
	return string(b)
}

// told keeps what was said last.
type told struct {
	mu     sync.Mutex
	images []string
	times  int
}

func (d *told) take(images []oci.Reference) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.images, d.times = nil, d.times+1
	for _, ref := range images {
		d.images = append(d.images, ref.String())
	}
	slices.Sort(d.images)
}

func (d *told) is(images ...string) func() bool {
	slices.Sort(images)
	return func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.times > 0 && slices.Equal(d.images, images)
	}
}

func TestImagesThatRunAreToldAsPodsComeAndGo(t *testing.T) {
	t.Parallel()
	one, two := "docker.io/acme/api:1@"+digest("1").String(), "docker.io/acme/web:2@"+digest("2").String()
	s, d := newPodServer(t), &told{}
	s.set(0,
		podJSON("a", "acme/api:1", "docker.io/acme/api@"+digest("1").String(), ""),
		podJSON("b", "gate.test:5000/docker.io/acme/api:1", "gate.test:5000/docker.io/acme/api@"+digest("1").String(), ""),
		podJSON("c", "acme/starting:1", "", "ContainerCreating"))
	p := kube.NewPods(s.client(t), kube.PodsConfig{Node: "n1", Origin: origin, Deployed: d.take})
	if p.Problem() == nil {
		t.Error("it is no problem that nothing was listed")
	}
	start(t, p.Run)
	eventually(t, "the list", d.is(one))
	check(t, p.Problem())
	for _, line := range lines(s.taken(), "GET") {
		if !strings.Contains(line, "fieldSelector=spec.nodeName%3Dn1%2Cstatus.phase%21%3DSucceeded") {
			t.Errorf("asked %s", line)
		}
	}

	s.watch <- event("ADDED", podJSON("d", "acme/web:2", "docker-pullable://docker.io/acme/web@"+digest("2").String(), ""))
	eventually(t, "one more", d.is(one, two))
	if p.Images() != 2 {
		t.Errorf("%d images", p.Images())
	}
	s.watch <- `{"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "99"}}}`
	s.watch <- event("DELETED", podJSON("a", "acme/api:1", "docker.io/acme/api@"+digest("1").String(), ""))
	s.watch <- event("DELETED", podJSON("d", "acme/web:2", "docker.io/acme/web@"+digest("2").String(), ""))
	eventually(t, "one less", d.is(one))
	ended := strings.Replace(string(podJSON("b", "acme/api:1", "docker.io/acme/api@"+digest("1").String(), "")), `"Running"`, `"Succeeded"`, 1)
	s.watch <- event("MODIFIED", json.RawMessage(ended))
	eventually(t, "none", d.is())
}

func TestWhatRanLastStandsWhileTheAPIServerIsAway(t *testing.T) {
	t.Parallel()
	one, two := "docker.io/acme/api:1@"+digest("1").String(), "docker.io/acme/web:2@"+digest("2").String()
	s, d := newPodServer(t), &told{}
	lines := &logLines{}
	s.set(0, podJSON("a", "acme/api:1", "docker.io/acme/api@"+digest("1").String(), ""))
	p := kube.NewPods(s.client(t), kube.PodsConfig{Origin: origin, Deployed: d.take, Log: newLog(lines)})
	start(t, p.Run)
	eventually(t, "the list", d.is(one))
	s.set(http.StatusServiceUnavailable)
	s.watch <- `{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}`
	eventually(t, "a problem", func() bool { return p.Problem() != nil })
	if !d.is(one)() {
		t.Errorf("told %v", d.images)
	}
	// What went and came meanwhile is found by the next list.
	s.set(0, podJSON("b", "acme/web:2", "docker.io/acme/web@"+digest("2").String(), ""))
	eventually(t, "the next list", d.is(two))
	check(t, p.Problem())
	if n := strings.Count(lines.String(), "not watched"); n != 1 {
		t.Errorf("said %d times: %s", n, lines)
	}
}

func TestAFirstListThatFailsTellsNothing(t *testing.T) {
	t.Parallel()
	s, d := newPodServer(t), &told{}
	s.set(http.StatusForbidden)
	p := kube.NewPods(s.client(t), kube.PodsConfig{Origin: origin, Deployed: d.take})
	start(t, p.Run)
	eventually(t, "a problem that names the right", func() bool { return errors.Is(p.Problem(), kube.ErrForbidden) })
	s.set(0)
	eventually(t, "an empty list", d.is())
}

func TestAFrameWithoutEndIsCutOff(t *testing.T) {
	t.Parallel()
	s, d := newPodServer(t), &told{}
	p := kube.NewPods(s.client(t), kube.PodsConfig{Origin: origin, Deployed: d.take})
	start(t, p.Run)
	eventually(t, "the list", d.is())
	s.watch <- `{"type": "ADDED", "object": {"metadata": {"name": "` + strings.Repeat("x", 9<<20)
	eventually(t, "a problem", func() bool { return errors.Is(p.Problem(), kube.ErrTooLarge) })
}
