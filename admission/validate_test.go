package admission_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vouchsafe/admission"
	"vouchsafe/policy"
)

// outcomes are what an image can be; code is zero for allowed.
var outcomes = []struct {
	name, image string
	code        int
	warned      bool
	reason      string
}{
	{"allowed", signed, 0, false, ""},
	{"warned", watched, 0, true, "UNSIGNED"},
	{"denied", unsigned, http.StatusForbidden, false, "UNSIGNED"},
	{"unknown", missing, http.StatusServiceUnavailable, false, "IMAGE_UNKNOWN"},
	{"unlisted", unlisted, http.StatusForbidden, false, "NO_POLICY"},
	{"malformed", noName, http.StatusForbidden, false, "NAME_INVALID"},
}

// TestEveryKindEveryListEveryOutcome holds the whole table: an image is judged the
// same wherever it stands, when it is new, and not when it was there before.
func TestEveryKindEveryListEveryOutcome(t *testing.T) {
	w := newWorld(t)
	for _, k := range kinds {
		for _, list := range lists {
			for _, o := range outcomes {
				name := fmt.Sprintf("%s in %s of a %s", o.name, list, k.kind)
				judged := func(what string, request object, records int) {
					t.Helper()
					got := w.validate(request)
					if got.Status.Code != o.code || got.Allowed != (o.code == 0) {
						t.Errorf("%s, %s: got %+v", name, what, got)
					}
					if o.code != 0 {
						contains(t, got.Status.Message, "deploy-time enforcement: ", "(decision "+decisionID+")")
					}
					if warned := slices.ContainsFunc(got.Warnings, func(s string) bool { return strings.Contains(s, "would be refused by policy watch") }); warned != o.warned {
						t.Errorf("%s, %s: warnings %q", name, what, got.Warnings)
					}
					direct := slices.ContainsFunc(got.Warnings, func(s string) bool { return strings.Contains(s, "is not pulled through the gateway (PULL_HOST)") })
					if want := k.kind == "Pod" && o.code == 0; direct != want {
						t.Errorf("%s, %s: warnings %q", name, what, got.Warnings)
					}
					lines := w.written()
					if len(lines) != records || records > 0 && o.reason != "" && !strings.Contains(lines[0], o.reason) {
						t.Errorf("%s, %s: got %d records, want %d: %s", name, what, len(lines), records, lines)
					}
				}
				untouched := func(what string, request object) {
					t.Helper()
					if got := w.validate(request); !got.Allowed || len(got.Warnings) > 0 || len(w.written()) > 0 {
						t.Errorf("%s, %s: got %+v", name, what, got)
					}
				}
				with1 := pod(list, o.image)
				judged("created", create(k.kind, with1), 1)
				judged("created in a dry run", with(create(k.kind, with1), "dryRun", true), 0)
				judged("changed", change(k.kind, pod(list, signed+"-old"), with1), 1)
				judged("added", change(k.kind, pod(list), with1), 1)
				untouched("updated without a change", change(k.kind, with1, with1))
				untouched("removed", change(k.kind, with1, pod(list)))
				untouched("moved in its list", change(k.kind, with1, object{list: append([]any{object{"name": "z"}}, with1[list].([]any)...)[1:]}))
				untouched("deleted", with(with(create(k.kind, with1), "operation", "DELETE"), "object", nil))
			}
		}
	}
}

func TestSubresourcesOfPods(t *testing.T) {
	w := newWorld(t)
	before := pod("containers", unsigned)
	after := pod("containers", unsigned)
	after["ephemeralContainers"] = pod("ephemeralContainers", unsigned)["ephemeralContainers"]
	got := w.validate(with(change("Pod", before, after), "subResource", "ephemeralcontainers"))
	if got.Allowed || len(w.written()) != 1 {
		t.Errorf("an unsigned ephemeral container beside an unsigned container: got %+v", got)
	}
	after["ephemeralContainers"] = pod("ephemeralContainers", signed)["ephemeralContainers"]
	if got := w.validate(with(change("Pod", before, after), "subResource", "ephemeralcontainers")); !got.Allowed {
		t.Errorf("a signed one: got %+v", got)
	}
	w.written()
	if got := w.validate(with(change("Pod", before, before), "subResource", "resize")); !got.Allowed || len(w.written()) > 0 {
		t.Errorf("a resize: got %+v", got)
	}
}

func TestOtherKindsAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	for name, kind := range map[string]object{
		"a kind of another group":   {"group": "example.com", "version": "v1", "kind": "Deployment"},
		"another version":           {"group": "apps", "version": "v2", "kind": "Deployment"},
		"a kind with no templates":  {"group": "", "version": "v1", "kind": "ConfigMap"},
		"the scale of a Deployment": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
	} {
		w.verdicts = nil
		request := with(create("Deployment", pod("containers", unsigned)), "kind", kind)
		request["object"] = object{"spec": "of any type"}
		for _, target := range []string{"/validate", "/mutate"} {
			if got := w.ask(target, request); !got.Allowed || len(got.Patch) > 0 {
				t.Errorf("%s at %s: got %+v", name, target, got)
			}
		}
		if !slices.Equal(w.verdicts, []string{"Untouched", "Untouched"}) {
			t.Errorf("%s: observed %v", name, w.verdicts)
		}
	}
}

// TestWhatWasPinnedIsJudgedByDigest also holds that names of the gateway are judged
// under their origin.
func TestWhatWasPinnedIsJudgedByDigest(t *testing.T) {
	w := newWorld(t)
	w.known(signed, unsigned)
	good, bad := w.digest("acme/signed"), w.digest("acme/unsigned")
	for image, allowed := range map[string]bool{
		pullHost + "/docker.io/acme/signed:1@" + good:                true,
		pullHost + "/docker.io/acme/signed:other@" + good:            true,
		pullHost + "/docker.io/acme/signed:1@" + bad:                 false,
		pullHost + "/acme/signed:1":                                  true,
		pullHost + "/acme/unsigned:1":                                false,
		"LOCALHOST:5000/docker.io/acme/signed:1":                     true,
		"LOCALHOST:5000/docker.io/acme/unsigned:1":                   false,
		pullHost + "/registry.acme.com_5000/acme/signed:1":           true,
		pullHost + "/registry.acme.com_5000/acme/unsigned:1":         false,
		pullHost + "/index.docker.io/acme/unsigned:1":                false,
		pullHost + "/unlisted.test/acme/signed:1":                    false,
		pullHost + "/localhost_5000/docker.io/acme/signed:1":         false,
		pullHost + "/docker.io":                                      false,
		pullHost + "/a..b/acme/signed:1":                             false,
		"localhost:05000/docker.io/acme/signed:1":                    false,
		"[::1]:5000/docker.io/acme/signed:1":                         false,
		"registry-1.docker.io/acme/unsigned:1":                       false,
		"docker.io:443/acme/unsigned:1":                              false,
		"sha256:" + strings.Repeat("a", 64):                          false,
		"sha256:abc":                                                 false,
		strings.Repeat("a", 64):                                      false,
		"acme/signed:1":                                              true,
		"acme/unsigned:1":                                            false,
		" acme/signed:1":                                             false,
		"":                                                           false,
		"docker.io/acme/signed:1@sha256:" + strings.Repeat("A", 64):  false,
		"docker.io/acme/signed:1@sha512:" + strings.Repeat("a", 64):  false,
		"docker.io/acme/" + strings.Repeat("a", 300) + ":1":          false,
		pullHost + "/docker.io/acme/signed:1\u202e@" + good:          false,
		pullHost + "/docker.io/acme/../acme/signed:1":                false,
		pullHost + "/docker.io%2facme/signed:1":                      false,
		pullHost + ".evil.test/docker.io/acme/signed:1":              false,
		"evil.test/" + "localhost:5000" + "/docker.io/acme/signed:1": false,
		"[2001:db8::1]:5000/acme/signed:1@" + good:                   false,
		"docker.io/acme/signed@" + good + "@" + good:                 false,
		"docker.io/acme/signed:1#x":                                  false,
		"http://" + pullHost + "/docker.io/acme/signed:1":            false,
		strings.Repeat("/", 2000) + "docker.io/acme/signed:1":        false,
		"docker.io/acme/signed:1" + strings.Repeat("0", 128) + "x":   false,
		"docker.io/acme/signed:1\x00docker.io/acme/unsigned:1":       false,
		"docker.io/acme/signed:1 docker.io/acme/unsigned:1":          false,
		"localhost:5000/docker.io:443/acme/signed:1":                 false,
		"localhost:5000/Docker.io/acme/signed:1":                     false,
	} {
		if got := w.validate(create("Pod", pod("containers", image))); got.Allowed != allowed {
			t.Errorf("%.100q: got %+v", image, got)
		}
	}
}

func (w *world) digest(repository string) string {
	w.t.Helper()
	ref, err := w.registry.PushImage(repository, "1", repository)
	check(w.t, err)
	w.registry.Reset()
	return ref.Digest.String()
}

func TestEachImageOfAReviewIsJudgedOnce(t *testing.T) {
	w := newWorld(t)
	images := make([]string, 200)
	for i := range images {
		images[i] = []string{signed, "acme/signed:1", "index.docker.io/acme/signed:1", watched}[i%4]
	}
	got := w.validate(create("Pod", pod("containers", images...)))
	if records := w.written(); !got.Allowed || len(records) != 2 {
		t.Errorf("got %+v and %d records", got, len(records))
	}
	w.registry.Reset()
	if w.validate(create("Pod", pod("containers", images...))); len(w.registry.Requests()) > 0 {
		t.Errorf("a review of known images asked %v", w.registry.Requests())
	}
}

func TestWhatIsKnownOnlyAsksNobody(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.ContactRegistries = false })
	for _, image := range []string{signed, unsigned, watched, missing} {
		got := w.validate(create("Deployment", pod("containers", image)))
		records := w.written()
		if !got.Allowed || len(got.Warnings) > 0 || len(records) != 1 || !strings.Contains(records[0], `"verdict":"Allow"`) || !strings.Contains(records[0], `"reasons":["NOT_KNOWN"]`) {
			t.Errorf("%s: got %+v, recorded %s", image, got, records)
		}
	}
	for _, image := range []string{unlisted, noName} {
		if got := w.validate(create("Deployment", pod("containers", image))); got.Allowed {
			t.Errorf("%s: got %+v", image, got)
		}
	}
	// A pull finds it out.
	w.written()
	for image, allowed := range map[string]bool{signed: true, unsigned: false} {
		w.pull(image)
		w.registry.Reset()
		if got := w.validate(create("Deployment", pod("containers", image))); got.Allowed != allowed {
			t.Errorf("%s, pulled before: got %+v", image, got)
		}
	}
	if asked := w.registry.Requests(); len(asked) > 0 {
		t.Errorf("a registry was asked: %v", asked)
	}
}

// pull does what a pull does about an image.
func (w *world) pull(name string) {
	w.t.Helper()
	img, err := w.resolver.Resolve(w.t.Context(), reference(w.t, name))
	check(w.t, err)
	_, err = w.engine.Decide(w.t.Context(), policy.Request{Kind: policy.KindPull, Reference: img.Reference}, img)
	check(w.t, err)
}

func TestARegistryThatHangsNeverTakesTheAnswer(t *testing.T) {
	w := newWorld(t)
	hang := make(chan struct{})
	w.hang.Store(&hang)
	images := make([]string, 100)
	for i := range images {
		images[i] = fmt.Sprintf("docker.io/acme/app-%d:1", i)
	}
	images[0] = signed
	begin := time.Now()
	got := w.ask("/validate?timeout=1s", create("Pod", pod("containers", images...)))
	if took := time.Since(begin); got.Status.Code != http.StatusServiceUnavailable || took > 950*time.Millisecond {
		t.Errorf("after %v: got %+v", took, got)
	}
	contains(t, got.Status.Message, signed, "registry did not answer (TIMEOUT)", "more")
	if len(got.Status.Message) > 2000 || len(w.written()) != 100 {
		t.Errorf("message of %d bytes", len(got.Status.Message))
	}
	// The look-ups go on, judging included: the next try finds it known.
	w.hang.Store(nil)
	close(hang)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		question := policy.Request{Kind: policy.KindAdmission, KnownOnly: true}
		if img, known := w.resolver.Known(reference(t, signed)); known {
			question.Reference = img.Reference
			if d, err := w.engine.Decide(t.Context(), question, img); err == nil && d.Verdict == policy.Allow {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatal("the look-up did not go on")
		}
	}
	w.registry.Reset()
	if got := w.validate(create("Pod", pod("containers", signed))); !got.Allowed || len(w.registry.Requests()) > 0 {
		t.Errorf("the next try: got %+v, asked %v", got, w.registry.Requests())
	}
}

func TestAVerificationThatHangsNeverTakesTheAnswer(t *testing.T) {
	w := newWorld(t)
	_, err := w.resolver.Resolve(t.Context(), reference(t, signed))
	check(t, err)
	hang := make(chan struct{})
	w.hang.Store(&hang)
	got := w.ask("/validate?timeout=1s", create("Pod", pod("containers", signed)))
	if got.Status.Code != http.StatusServiceUnavailable {
		t.Errorf("got %+v", got)
	}
	contains(t, got.Status.Message, "(TIMEOUT)")
	w.hang.Store(nil)
	close(hang)
	if got := w.validate(create("Pod", pod("containers", signed))); !got.Allowed {
		t.Errorf("the next try: got %+v", got)
	}
}

func TestTheGateIsOpenedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.set(func(r *policy.Rules) { r.InformOnly = true })
	for _, o := range outcomes {
		got := w.validate(create("Deployment", pod("containers", o.image)))
		if !got.Allowed || len(got.Warnings) > 0 != (o.image != signed) {
			t.Errorf("%s: got %+v", o.name, got)
		}
	}
}

func TestANamespaceIsTheReviews(t *testing.T) {
	w := newWorld(t)
	w.set(func(r *policy.Rules) { r.WhenNoPolicy = policy.Allow })
	p, err := policy.New("dev-only", policy.Spec{
		Images: []string{"docker.io/team/**"}, Namespaces: &policy.NamespacesSpec{Include: []string{"dev"}}, Signers: []string{"release-team"}, Behavior: "InformAndEnforce",
	}, w.integration, isListed)
	if p == nil { // What it has to say beside is that pulls name no namespace.
		t.Fatal(err)
	}
	w.set(func(r *policy.Rules) { r.Policies = []*policy.Policy{p} })
	for namespace, allowed := range map[string]bool{"dev": false, "prod": true} {
		request := with(create("Deployment", pod("containers", watched)), "namespace", namespace)
		if got := w.validate(request); got.Allowed != allowed {
			t.Errorf("%s: got %+v", namespace, got)
		}
		// The object's own is used where the review names none.
		request["namespace"] = ""
		request["object"].(object)["metadata"] = object{"generateName": "api-", "namespace": namespace}
		if got := w.validate(request); got.Allowed != allowed {
			t.Errorf("%s of the object: got %+v", namespace, got)
		}
	}
}

func TestRecordsSayWhoAskedAndForWhat(t *testing.T) {
	w := newWorld(t)
	request := create("Pod", pod("containers", noName))
	request["name"] = ""
	request["object"].(object)["metadata"] = object{"generateName": "api-"}
	w.validate(request)
	w.validate(create("CronJob", pod("containers", missing)))
	var got strings.Builder
	for _, line := range w.written() {
		var record struct{ Kind, Image, Client, Workload, Decision, RequestID any }
		check(t, json.Unmarshal([]byte(line), &record))
		text, err := json.Marshal(record)
		check(t, err)
		got.Write(append(text, '\n'))
	}
	golden(t, "testdata/records.golden", got.String())
}

func TestEmptyImagesOfTemplatesAreFilledInLater(t *testing.T) {
	w := newWorld(t)
	for _, kind := range kinds {
		for _, list := range lists {
			if got := w.validate(create(kind.kind, pod(list, "", "  "))); got.Allowed != (kind.kind != "Pod") {
				t.Errorf("%s of a %s: got %+v", list, kind.kind, got)
			}
		}
		for name, spec := range map[string]object{
			"no lists":        {},
			"null lists":      {"containers": nil, "initContainers": nil, "ephemeralContainers": nil, "volumes": nil},
			"other volumes":   {"volumes": []any{object{"name": "a", "emptyDir": object{}}, object{"name": "b", "image": nil}}},
			"empty templates": nil,
		} {
			if got := w.validate(create(kind.kind, spec)); !got.Allowed {
				t.Errorf("%s of a %s: got %+v", name, kind.kind, got)
			}
		}
	}
}
