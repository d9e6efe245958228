package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/admission"
	"vouchsafe/audit"
	"vouchsafe/content"
	"vouchsafe/internal/lab"
	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

var update = flag.Bool("update", false, "write golden files anew")

type object = map[string]any

const (
	pullHost = "localhost:5000"
	// decisionID is of every decision here.
	decisionID = "01JDEC1S10N000000000000000"

	signed   = "docker.io/acme/signed:1"
	unsigned = "docker.io/acme/unsigned:1"
	watched  = "docker.io/team/unsigned:1"
	missing  = "docker.io/acme/missing:1"
	unlisted = "unlisted.test/acme/shell:1"
	noName   = "docker.io/acme/Not A Name"
)

// world is a webhook over everything that a pull has below it: a registry over
// loopback, which is docker.io and registry.acme.com:5000 here, the resolver, the
// verifier, the engine and the audit log.
type world struct {
	t        testing.TB
	registry *lab.Registry
	key      *lab.Key
	// hang, when set, is waited for by each request to the registry.
	hang     atomic.Pointer[chan struct{}]
	resolver *content.Resolver
	engine   *policy.Engine
	handler  *admission.Handler
	verdicts []string

	mu      sync.Mutex // guards what follows
	rules   policy.Rules
	records []string
}

// Write implements audit.Sink.
func (w *world) Write(_ context.Context, line []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, string(line))
	return nil
}

func (w *world) current() policy.Rules {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rules
}

func (w *world) set(change func(*policy.Rules)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.rules)
	w.rules.Revision += "+"
}

// written returns the records since the last call.
func (w *world) written() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.records
	w.records = nil
	return all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isListed(registry string) bool {
	return registry == "docker.io" || registry == "registry.acme.com:5000" || registry == "[2001:db8::1]:5000"
}

// newWorld returns a webhook that asks registries and pins; with changes that.
func newWorld(t testing.TB, with ...func(*admission.Config)) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	w.key, err = lab.NewKey()
	check(t, err)
	w.registry, err = lab.NewRegistry(context.Background(), lab.RegistryConfig{Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if hang := w.hang.Load(); hang != nil && r.Method != http.MethodPut && r.Method != http.MethodPost {
				select {
				case <-*hang:
				case <-r.Context().Done():
				}
			}
			next.ServeHTTP(rw, r)
		})
	}})
	check(t, err)
	t.Cleanup(w.registry.Close)
	w.push("acme/signed", true)
	w.push("acme/unsigned", false)
	w.push("team/unsigned", false)
	w.registry.Reset()
	w.build(with...)
	return w
}

func (w *world) push(repository string, sign bool) oci.Reference {
	w.t.Helper()
	ref, err := w.registry.PushImage(repository, "1", repository)
	check(w.t, err)
	if sign {
		check(w.t, w.key.SignTag(w.registry, ref))
	}
	return ref
}

func (w *world) build(with ...func(*admission.Config)) {
	t := w.t
	in, err := verify.NewIntegration("release-team", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "release-2026", Key: w.key.PublicPEM()}}})
	check(t, err)
	find := func(string) (*verify.Integration, bool) { return in, true }
	enforce, err := policy.New("prod-signed", policy.Spec{
		Images: []string{"docker.io/acme/**", "registry.acme.com:5000/**"}, Signers: []string{"release-team"}, Behavior: "InformAndEnforce",
	}, find, isListed)
	check(t, err)
	inform, err := policy.New("watch", policy.Spec{Images: []string{"docker.io/team/**"}, Signers: []string{"release-team"}, Behavior: "Inform"}, find, isListed)
	check(t, err)
	w.rules = policy.Rules{
		Revision: "r1", Policies: []*policy.Policy{enforce, inform}, Integrations: []*verify.Integration{in}, WhenNoPolicy: policy.Deny,
	}
	registries := map[string]*upstream.Registry{}
	for _, name := range []string{"docker.io", "registry.acme.com:5000"} {
		registries[name], err = upstream.NewRegistry(name, upstream.Spec{
			Endpoint: "http://" + w.registry.Host(), PlainHTTP: true, AllowPrivateAddresses: true,
		}, nil)
		check(t, err)
	}
	client := upstream.New(func(name string) (*upstream.Registry, bool) {
		r, ok := registries[name]
		return r, ok
	}, upstream.Config{})
	w.resolver = content.New(client, content.Config{TagTTL: func(string) time.Duration { return time.Hour }})
	verifier := verify.New(client, verify.NewLRU(10_000, nil), verify.Config{RejectedTTL: time.Hour})
	t.Cleanup(verifier.Close)
	w.engine = &policy.Engine{
		Rules: w.current, Results: verifier, Lineage: inventory.NewLineage(0), Artifacts: policy.NewArtifacts(client),
		NewID: func(time.Time) string { return decisionID },
	}
	cfg := admission.Config{
		PullHost: pullHost, Pin: true, ContactRegistries: true, Listed: isListed,
		Revision: func() string { return w.current().Revision },
		Observe:  func(verdict string) { w.verdicts = append(w.verdicts, verdict) },
	}
	for _, change := range with {
		change(&cfg)
	}
	w.handler = admission.New(w.resolver, audit.New(w.engine, w, audit.Config{}), w.engine, cfg)
	t.Cleanup(w.handler.Close)
}

// known makes images known: resolved and judged.
func (w *world) known(images ...string) {
	w.t.Helper()
	for _, image := range images {
		w.validate(create("Pod", pod("containers", image)))
	}
	w.written()
	w.registry.Reset()
}

// kinds are all that are looked into, by the place of their pod template.
var kinds = []struct {
	group, kind string
	wrap        func(spec object) object
}{
	{"", "Pod", func(spec object) object { return spec }},
	{"", "ReplicationController", inTemplate},
	{"apps", "Deployment", inTemplate},
	{"apps", "StatefulSet", inTemplate},
	{"apps", "DaemonSet", inTemplate},
	{"apps", "ReplicaSet", inTemplate},
	{"batch", "Job", inTemplate},
	{"batch", "CronJob", func(spec object) object {
		return object{"schedule": "* * * * *", "jobTemplate": object{"spec": inTemplate(spec)}}
	}},
}

func inTemplate(spec object) object {
	return object{"replicas": 1, "template": object{"metadata": object{"labels": object{"app": "a"}}, "spec": spec}}
}

// lists are the places of a pod's spec that name images.
var lists = []string{"initContainers", "containers", "ephemeralContainers", "volumes"}

// pod is a spec with images in one list, named a, b and so on.
func pod(list string, images ...string) object {
	var all []any
	for i, image := range images {
		one := object{"name": string(rune('a' + i))}
		if list == "volumes" {
			one["image"] = object{"reference": image, "pullPolicy": "IfNotPresent"}
		} else {
			one["image"] = image
		}
		all = append(all, one)
	}
	return object{"serviceAccountName": "default", list: all}
}

// of is an object of a kind around a pod's spec.
func of(kind string, spec object) object {
	for _, k := range kinds {
		if k.kind == kind {
			spec = k.wrap(spec)
		}
	}
	return object{"metadata": object{"name": "api", "namespace": "prod"}, "spec": spec}
}

// create is the request of a review that creates an object.
func create(kind string, spec object) object {
	group := ""
	for _, k := range kinds {
		if k.kind == kind {
			group = k.group
		}
	}
	return object{
		"uid": "0b7f", "kind": object{"group": group, "version": "v1", "kind": kind}, "name": "api", "namespace": "prod",
		"operation": "CREATE", "userInfo": object{"username": "jane"}, "object": of(kind, spec),
	}
}

// change is the request of a review that changes one.
func change(kind string, from, to object) object {
	r := create(kind, to)
	r["operation"], r["oldObject"] = "UPDATE", of(kind, from)
	return r
}

func with(request object, key string, value any) object {
	request[key] = value
	return request
}

// answer is what a review was told.
type answer struct {
	UID       string
	Allowed   bool
	Patch     []byte
	PatchType string
	Status    struct {
		Code            int
		Reason, Message string
	}
	Warnings []string
}

func review(t testing.TB, request object) []byte {
	t.Helper()
	body, err := json.Marshal(object{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	check(t, err)
	return body
}

func (w *world) post(target string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

func (w *world) ask(target string, request object) answer {
	w.t.Helper()
	recorder := w.post(target, review(w.t, request))
	if recorder.Code != http.StatusOK {
		w.t.Fatalf("%s: HTTP %d: %s", target, recorder.Code, recorder.Body)
	}
	var got struct {
		APIVersion, Kind string
		Response         answer
	}
	check(w.t, json.Unmarshal(recorder.Body.Bytes(), &got))
	if got.APIVersion != "admission.k8s.io/v1" || got.Kind != "AdmissionReview" || got.Response.UID != request["uid"] {
		w.t.Errorf("got %s", recorder.Body)
	}
	if got.Response.Allowed == (got.Response.Status.Code != 0) {
		w.t.Errorf("allowed %v with status %+v", got.Response.Allowed, got.Response.Status)
	}
	return got.Response
}

func (w *world) validate(request object) answer {
	w.t.Helper()
	return w.ask("/validate?timeout=10s", request)
}

func (w *world) mutate(request object) answer {
	w.t.Helper()
	return w.ask("/mutate?timeout=10s", request)
}

// golden compares got with a file, which -update writes anew.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), write it anew with -update:\n%s", path, diff)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got %q, without %q", text, part)
		}
	}
}
