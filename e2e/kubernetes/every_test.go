package kubernetes_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
)

// outcome is an image and what becomes of whoever asks for it.
type outcome struct {
	name, image string
	status      int      // 0: it is let in
	says        []string // the refusal's, or the only warning's, words
}

// outcomes are every one that there is.
func (w *world) outcomes() []outcome {
	return []outcome{
		{"an allowed image", nameOf(w.signed), 0, nil},
		{"an image that is warned of", nameOf(w.warned), 0, []string{w.warned.Repository, "policy informed"}},
		{"a denied image", nameOf(w.unsigned), http.StatusForbidden, []string{w.unsigned.Repository, "refused by policy " + policyName, "deploy-time enforcement"}},
		{"an image of which nothing can be found out", dead + "/acme/app:1", http.StatusServiceUnavailable, []string{dead + "/acme/app", "try again"}},
		{"an image of an unlisted registry", unlisted + "/acme/app:1", http.StatusForbidden, []string{unlisted + "/acme/app", unlisted}},
	}
}

// check demands an outcome of an answer.
func (o outcome) check(t *testing.T, answer kubernetes.Answer) {
	t.Helper()
	warnings, text := distinct(answer.Warnings), answer.Message()
	switch {
	case o.status != 0:
		if answer.Status != o.status {
			t.Fatalf("got status %d (%s), want %d", answer.Status, text, o.status)
		}
	case answer.Status >= 300:
		t.Fatalf("got status %d (%s), want that it is let in", answer.Status, text)
	case o.says == nil:
		if len(warnings) > 0 {
			t.Errorf("got warnings %q, want none", warnings)
		}
	default:
		if len(warnings) != 1 {
			t.Fatalf("got warnings %q, want one", warnings)
		}
		text = warnings[0]
	}
	for _, part := range o.says {
		if !strings.Contains(text, part) {
			t.Errorf("got %q, want it to say %q", text, part)
		}
	}
}

// distinct are the warnings that differ in more than the decision: an update that
// met another one is tried, and reviewed, again by the API server.
func distinct(warnings []string) []string {
	var found []string
	for _, warning := range warnings {
		if !slices.Contains(found, steady(warning)) {
			found = append(found, steady(warning))
		}
	}
	return found
}

// admissions are the audit records of reviews of a namespace so far.
func (w *world) admissions(t *testing.T, namespace string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(w.g.AuditText(t)) {
		if strings.Contains(line, `"kind":"admission"`) && strings.Contains(line, `"namespace":"`+namespace+`"`) {
			found = append(found, line)
		}
	}
	return found
}

// every is a kind of workload in a namespace of its own.
type every struct {
	*world
	workload
	namespace string
}

func (w *world) tellEvery(t *testing.T) {
	for _, of := range workloads {
		e := every{w, of, "every-" + strings.ToLower(of.kind)}
		cluster.Namespace(t, e.namespace, nil)
	}
	t.Run("in", func(t *testing.T) {
		for _, of := range workloads {
			e := every{w, of, "every-" + strings.ToLower(of.kind)}
			t.Run(of.kind, func(t *testing.T) {
				t.Parallel()
				for _, place := range places {
					t.Run(place.name, func(t *testing.T) { e.check(t, place) })
				}
			})
		}
	})
	t.Run("ephemeral containers", every{w, workloads[0], "every-pod"}.checkEphemeral)
}

// check makes an object with each image in the place, and puts each into one
// that is there.
func (e every) check(t *testing.T, place place) {
	base := create(t, e.namespace, e.kind, place.pod(nameOf(e.other), nameOf(e.other)), "")
	path := at(e.workload, e.namespace) + "/" + decode(t, base).Metadata.Name
	for _, o := range e.outcomes() {
		t.Run(o.name, func(t *testing.T) {
			e.checkDryRun(t, place, o)
			e.checkCreate(t, place, o)
			e.checkUpdate(t, place, o, path)
		})
	}
}

// checkDryRun demands that a dry run is answered as the real one, and that it
// leaves no record.
func (e every) checkDryRun(t *testing.T, place place, o outcome) {
	t.Helper()
	before := len(e.admissions(t, e.namespace))
	o.check(t, create(t, e.namespace, e.kind, place.pod(o.image, nameOf(e.other)), dryRun))
	if after := len(e.admissions(t, e.namespace)); after != before {
		t.Errorf("a dry run left %d records", after-before)
	}
}

func (e every) checkCreate(t *testing.T, place place, o outcome) {
	t.Helper()
	before := len(e.admissions(t, e.namespace))
	answer := create(t, e.namespace, e.kind, place.pod(o.image, nameOf(e.other)), "")
	o.check(t, answer)
	wanted := 2
	if place.name == "a container" {
		wanted = 1
	}
	if got := len(e.admissions(t, e.namespace)) - before; got != wanted {
		t.Errorf("a review of %d images left %d records", wanted, got)
	}
	if o.status == 0 && e.kind == "Pod" {
		e.checkRewritten(t, answer, o.image)
		return
	}
	if o.status == 0 && strings.Contains(string(answer.Body), pullHost) {
		t.Errorf("the template was rewritten: %s", answer.Body)
	}
}

// checkRewritten demands that each image of a pod is pulled through the gateway,
// by the name and nothing else.
func (w *world) checkRewritten(t *testing.T, answer kubernetes.Answer, image string) {
	t.Helper()
	found := false
	for _, name := range decode(t, answer).Spec.images() {
		plain, _, _ := strings.Cut(name, "@")
		found = found || plain == pullHost+"/"+image
		if !strings.HasPrefix(name, pullHost+"/") {
			t.Errorf("the pod has the image %s, which is not pulled through the gateway", name)
		}
	}
	if !found {
		t.Errorf("no image of the pod is %s/%s: %s", pullHost, image, answer.Body)
	}
}

// checkUpdate puts the image into an object that is there.
func (e every) checkUpdate(t *testing.T, place place, o outcome, path string) {
	t.Helper()
	patch := []map[string]any{{"op": "replace", "path": e.template + place.path, "value": o.image}}
	answer := cluster.Do(t, http.MethodPatch, path, patch)
	if e.fixed || e.kind == "Pod" && place.name == "an image volume" {
		if answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("the API server lets the image of this %s be changed: %d %s", e.kind, answer.Status, answer.Message())
		}
		return
	}
	o.check(t, answer)
	if o.status == 0 && e.kind == "Pod" {
		e.checkRewritten(t, answer, o.image)
	}
}

// checkEphemeral adds ephemeral containers to pods, which only the subresource
// does.
func (e every) checkEphemeral(t *testing.T) {
	for _, o := range e.outcomes() {
		t.Run(o.name, func(t *testing.T) {
			pod := decode(t, create(t, e.namespace, "Pod", podOf(e.other), ""))
			path := at(e.workload, e.namespace) + "/" + pod.Metadata.Name + "/ephemeralcontainers"
			add := []map[string]any{{"op": "add", "path": "/spec/ephemeralContainers", "value": []object{container("debug", o.image)}}}
			before := len(e.admissions(t, e.namespace))
			o.check(t, cluster.Do(t, http.MethodPatch, path+dryRun, add))
			if after := len(e.admissions(t, e.namespace)); after != before {
				t.Errorf("a dry run left %d records", after-before)
			}
			answer := cluster.Do(t, http.MethodPatch, path, add)
			o.check(t, answer)
			// Of the pod's images only this one is new.
			if got := len(e.admissions(t, e.namespace)) - before; got != 1 {
				t.Errorf("a review of one new image left %d records", got)
			}
			if o.status == 0 {
				e.checkRewritten(t, answer, o.image)
			}
		})
	}
}
