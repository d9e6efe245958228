package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/kube"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

// decider says what a test wants; each decision has another id.
type decider struct {
	mu      sync.Mutex
	n       int
	verdict policy.Verdict
}

func (d *decider) set(v policy.Verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.verdict = v
}

func (d *decider) Decide(_ context.Context, _ policy.Request, image oci.Image) (policy.Decision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	id := fmt.Sprintf("01J%05d", d.n)
	return policy.Decision{
		ID: id, Verdict: d.verdict,
		Message: fmt.Sprintf("%s: refused by policy prod-signed: unsigned (decision %s)", image.Reference, id),
	}, nil
}

func (d *decider) DecideBlob(context.Context, policy.Request, oci.Digest) (policy.Decision, error) {
	return policy.Decision{Verdict: d.verdict}, nil
}

// pull asks for an image as a runtime does, by its tag.
func pull(t testing.TB, d policy.Decider, name, seed string) policy.Decision {
	t.Helper()
	ref, err := oci.ParseReference(name)
	check(t, err)
	decision, err := d.Decide(t.Context(), policy.Request{Kind: policy.KindPull, Verb: "HEAD", Reference: ref},
		oci.Image{Reference: ref.WithDigest(digest(seed))})
	check(t, err)
	return decision
}

// outcomes counts what became of Events.
type outcomes struct {
	mu   sync.Mutex
	seen map[string]int
}

func (o *outcomes) observe(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[string]int{}
	}
	o.seen[outcome]++
}

func (o *outcomes) of(outcome string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[outcome]
}

// serveEvents keeps Events by name, as an API server does.
func serveEvents(s *server) (names func() int) {
	var mu sync.Mutex
	kept := map[string]bool{}
	s.mux.HandleFunc("POST /api/v1/namespaces/{namespace}/events", func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Metadata struct{ Name string }
		}
		if json.NewDecoder(r.Body).Decode(&e) != nil {
			answer(w, http.StatusBadRequest, "no JSON")
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if kept[e.Metadata.Name] {
			answer(w, http.StatusConflict, "already exists")
			return
		}
		kept[e.Metadata.Name] = true
		answer(w, http.StatusCreated, map[string]any{})
	})
	return func() int { mu.Lock(); defer mu.Unlock(); return len(kept) }
}

func waiting(image string) kube.Waiting {
	ref, _ := origin(image)
	return kube.Waiting{Namespace: "shop", Pod: "api-7d4", UID: "uid-1", FieldPath: "spec.containers{app}", Image: ref}
}

func TestAPodThatWaitsForARefusedImageGetsOneEvent(t *testing.T) {
	s, o := newPodServer(t), &outcomes{}
	names := serveEvents(s.server)
	d := &decider{verdict: policy.Deny}
	refusals := kube.NewRefusals(d, nil)
	client := s.client(t)
	e := kube.NewEvents(client, refusals, kube.EventsConfig{Instance: "gateway-1", Observe: o.observe})
	start(t, e.Run)
	start(t, kube.NewPods(client, kube.PodsConfig{Origin: origin, Waiting: e.Waiting}).Run)
	decision := pull(t, refusals, "acme/api:1", "1")
	s.watch <- event("ADDED", podJSON("a", "gate.test:5000/docker.io/acme/api:1", "", "ErrImagePull"))
	eventually(t, "an Event", func() bool { return o.of("written") == 1 })
	var got struct {
		Metadata                        struct{ Name, Namespace string }
		InvolvedObject                  struct{ Kind, Namespace, Name, UID, FieldPath string }
		Type, Reason, Message           string
		ReportingComponent, Action      string
		FirstTimestamp                  time.Time
		Source                          struct{ Component, Host string }
		Count                           int
		APIVersion, ReportingInstanceID string
	}
	for _, r := range s.taken() {
		if strings.HasPrefix(r.line, "POST") {
			check(t, json.Unmarshal([]byte(r.body), &got))
		}
	}
	if got.Message != decision.Message || got.Type != "Warning" || got.Reason != "ImageRefused" || got.ReportingComponent != "vouchsafe" ||
		got.InvolvedObject.Kind != "Pod" || got.InvolvedObject.UID != "a" || got.InvolvedObject.FieldPath != "spec.containers{app}" ||
		got.Metadata.Namespace != "shop" || !strings.HasPrefix(got.Metadata.Name, "pod-a.") {
		t.Errorf("the Event is %+v", got)
	}
	// The kubelet tries again and again, each time with another decision.
	for range 3 {
		pull(t, refusals, "acme/api:1", "1")
		s.watch <- event("MODIFIED", podJSON("a", "gate.test:5000/docker.io/acme/api:1", "", "ImagePullBackOff"))
	}
	// Another replica, or this one after a restart.
	other := kube.NewEvents(client, refusals, kube.EventsConfig{Observe: o.observe})
	start(t, other.Run)
	w := waiting("acme/api:1")
	w.UID, w.Pod = "a", "pod-a"
	other.Waiting(w)
	eventually(t, "that it is known", func() bool { return o.of("known") == 1 })
	if names() != 1 || o.of("written") != 1 {
		t.Errorf("%d Events, %d written", names(), o.of("written"))
	}
}

func TestOnlyWhatWasRefusedHereLatelyIsTold(t *testing.T) {
	s, o := newServer(t), &outcomes{}
	names := serveEvents(s)
	d := &decider{verdict: policy.Deny}
	now := time.Now()
	refusals := kube.NewRefusals(d, func() time.Time { return now })
	e := kube.NewEvents(s.client(t), refusals, kube.EventsConfig{Observe: o.observe})

	pull(t, refusals, "acme/served:1", "1")
	d.set(policy.Warn)
	pull(t, refusals, "acme/served:1", "1")
	d.set(policy.Deny)
	pull(t, refusals, "acme/old:1", "2")
	now = now.Add(11 * time.Minute)
	pull(t, refusals, "acme/api:1", "3")
	for _, image := range []string{
		"acme/served:1", "acme/old:1", "acme/never:1", "acme/api:2", "quay.io/acme/api:1",
		"acme/api:1@" + digest("another").String(), // asked for by digest: the tag is not what was refused
	} {
		e.Waiting(waiting(image))
	}
	e.Waiting(waiting("acme/api@" + digest("3").String()))
	start(t, e.Run)
	eventually(t, "one Event", func() bool { return o.of("written") == 1 })
	if names() != 1 {
		t.Errorf("%d Events", names())
	}
}

func TestForbiddenEventsAreSaidOnceAndCounted(t *testing.T) {
	s, o, lines := newServer(t), &outcomes{}, &logLines{}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusForbidden, "events is forbidden") })
	refusals := kube.NewRefusals(&decider{verdict: policy.Deny}, nil)
	e := kube.NewEvents(s.client(t), refusals, kube.EventsConfig{Observe: o.observe, Log: newLog(lines)})
	start(t, e.Run)
	for i := range 5 {
		name := fmt.Sprintf("acme/api:%d", i)
		pull(t, refusals, name, name)
		e.Waiting(waiting(name))
	}
	eventually(t, "five", func() bool { return o.of("forbidden") == 5 })
	if n := len(s.taken()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := strings.Count(lines.String(), "\n"); n != 1 {
		t.Errorf("said:\n%s", lines)
	}
}

func TestEventsAreBoundedInRateAndNumber(t *testing.T) {
	s, o := newServer(t), &outcomes{}
	serveEvents(s)
	refusals := kube.NewRefusals(&decider{verdict: policy.Deny}, nil)
	e := kube.NewEvents(s.client(t), refusals, kube.EventsConfig{Observe: o.observe})
	for i := range 300 {
		name := fmt.Sprintf("acme/api:%d", i)
		pull(t, refusals, name, name)
		e.Waiting(waiting(name))
	}
	if n := o.of("dropped"); n != 300-256 {
		t.Errorf("%d were dropped", n)
	}
	stop := start(t, e.Run)
	time.Sleep(time.Second)
	stop()
	// 20 at once, then 5 a second.
	if n := len(s.taken()); n < 20 || n > 27 {
		t.Errorf("%d were written in a second", n)
	}
}

func TestRefusalsChangeNoDecision(t *testing.T) {
	d := &decider{verdict: policy.Deny}
	refusals := kube.NewRefusals(d, nil)
	if got := pull(t, refusals, "acme/api:1", "1"); got.Verdict != policy.Deny || got.ID != "01J00001" {
		t.Errorf("got %+v", got)
	}
	got, err := refusals.DecideBlob(t.Context(), policy.Request{}, digest("1"))
	check(t, err)
	if got.Verdict != policy.Deny {
		t.Errorf("got %+v", got)
	}
}

func TestALongNameMakesANameThatIsOne(t *testing.T) {
	s, o := newServer(t), &outcomes{}
	serveEvents(s)
	refusals := kube.NewRefusals(&decider{verdict: policy.Deny}, nil)
	e := kube.NewEvents(s.client(t), refusals, kube.EventsConfig{Observe: o.observe})
	start(t, e.Run)
	pull(t, refusals, "acme/api:1", "1")
	w := waiting("acme/api:1")
	w.Pod = strings.Repeat("a", 199) + "." + strings.Repeat("b", 53)
	e.Waiting(w)
	eventually(t, "an Event", func() bool { return o.of("written") == 1 })
	for _, r := range s.taken() {
		var got struct {
			Metadata       struct{ Name string }
			InvolvedObject struct{ Name string }
		}
		check(t, json.Unmarshal([]byte(r.body), &got))
		if len(got.Metadata.Name) > 253 || strings.Contains(got.Metadata.Name, "..") || got.InvolvedObject.Name != w.Pod {
			t.Errorf("the names are %+v", got)
		}
	}
}
