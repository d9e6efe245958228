package kubernetes_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestTheWebhookAsItIsInstalled tells everything that one webhook can tell with
// the settings of deploy/, in any order but for the last, which ends it.
func TestTheWebhookAsItIsInstalled(t *testing.T) {
	w := newWorld(t)
	for _, story := range []struct {
		name string
		tell func(w *world, t *testing.T)
	}{
		{"every kind of workload with every image in every place", (*world).tellEvery},
		{"an image that an object has already is not judged again", (*world).tellUnchanged},
		{"only the new ephemeral container is judged", (*world).tellEphemeral},
		{"a tag is pinned when it is known", (*world).tellPinned},
		{"a later mutator that undoes the rewrite gains nothing", (*world).tellUndone},
		{"a pod that names the gateway itself is judged by its origin", (*world).tellItself},
		{"the annotation that a tenant wrote is worth nothing", (*world).tellAnnotation},
		{"a pod of 200 containers is judged in time", (*world).tellMany},
		{"a review of 40 MiB is read and one byte more is not", (*world).tellSize},
		{"no padding lets an unsigned image in", (*world).tellPadded},
		{"a namespace that nobody knows is judged as any", (*world).tellNamespace},
		{"a duplicate review gets the same answer", (*world).tellDuplicate},
		{"what is no review is never allowed", (*world).tellNoReview},
		{"what people read who use kubectl", (*world).tellWords},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(w, t) })
	}
}

func (w *world) tellUnchanged(t *testing.T) {
	cluster.Namespace(t, "unchanged", nil)
	for _, of := range workloads {
		t.Run(of.kind, func(t *testing.T) {
			// What was let in under one policy stays editable under the next.
			w.g.Write(t, "enforced.yaml", strings.Replace(w.documents(t)["enforced.yaml"], "InformAndEnforce", "Inform", 1))
			w.g.Await(t, "the open policy", func() bool {
				return create(t, "unchanged", "Pod", podOf(w.unsigned), dryRun).Status < 300
			})
			object := decode(t, create(t, "unchanged", of.kind, podOf(w.unsigned), ""))
			w.g.Write(t, "enforced.yaml", w.documents(t)["enforced.yaml"])
			w.g.Await(t, "the closed policy", func() bool {
				return create(t, "unchanged", "Pod", podOf(w.unsigned), dryRun).Status == http.StatusForbidden
			})
			before := len(w.admissions(t, "unchanged"))
			path := at(of, "unchanged") + "/" + object.Metadata.Name
			answer := cluster.Do(t, http.MethodPatch, path, map[string]any{"metadata": map[string]any{"labels": map[string]any{"edited": "yes"}, "finalizers": []string{"e2e.test/stay"}}})
			if answer.Status != http.StatusOK || len(answer.Warnings) > 0 {
				t.Errorf("an edited label: got %d %s %q", answer.Status, answer.Message(), answer.Warnings)
			}
			if answer := cluster.Do(t, http.MethodPatch, path, map[string]any{"metadata": map[string]any{"finalizers": nil}}); answer.Status != http.StatusOK {
				t.Errorf("a finalizer that is removed: got %d %s", answer.Status, answer.Message())
			}
			if records := w.admissions(t, "unchanged")[before:]; len(records) > 0 {
				t.Errorf("an update that changes no image left the record %s", records[0])
			}
			var after made
			answer.Object(t, &after)
			if of.kind == "Pod" && after.Spec.Containers[0].Image != object.Spec.Containers[0].Image {
				t.Errorf("the image was %s and is %s", object.Spec.Containers[0].Image, after.Spec.Containers[0].Image)
			}
		})
	}
}

func (w *world) tellEphemeral(t *testing.T) {
	cluster.Namespace(t, "ephemeral", nil)
	pod := decode(t, create(t, "ephemeral", "Pod", podOf(w.other), ""))
	path := at(workloads[0], "ephemeral") + "/" + pod.Metadata.Name + "/ephemeralcontainers"
	first := cluster.MustDo(t, http.MethodPatch, path, []map[string]any{{"op": "add", "path": "/spec/ephemeralContainers", "value": []object{container("one", nameOf(w.warned))}}})
	second := cluster.MustDo(t, http.MethodPatch, path, []map[string]any{{"op": "add", "path": "/spec/ephemeralContainers/-", "value": container("two", nameOf(w.signed))}})
	if len(first.Warnings) != 1 || len(second.Warnings) != 0 {
		t.Errorf("got warnings %q, then %q, want one, then none", first.Warnings, second.Warnings)
	}
	for _, image := range decode(t, second).Spec.images() {
		if !strings.HasPrefix(image, pullHost+"/") {
			t.Errorf("the pod has the image %s", image)
		}
	}
}

func TestWhatIsNotKnownIsAllowedWithoutContactToRegistries(t *testing.T) {
	w := newWorldWithout(t, "VOUCHSAFE_CONTACT_REGISTRIES=false")
	cluster.Namespace(t, "unknown", nil)
	w.at.Reset()
	for _, of := range workloads {
		for _, image := range []string{nameOf(w.signed), nameOf(w.unsigned), dead + "/acme/app:1"} {
			answer := create(t, "unknown", of.kind, podNamed(image), "")
			if answer.Status != http.StatusCreated {
				t.Errorf("%s with %s: got %d %s, want that the pull judges", of.kind, image, answer.Status, answer.Message())
			}
		}
		if answer := create(t, "unknown", of.kind, podNamed(unlisted+"/acme/app:1"), ""); answer.Status != http.StatusForbidden {
			t.Errorf("%s with an image of an unlisted registry: got %d, want 403: that much is known", of.kind, answer.Status)
		}
	}
	if requests := w.at.Requests(""); len(requests) > 0 {
		t.Errorf("the registry was asked: %v", requests)
	}
	for _, record := range w.g.Audit(t) {
		if record.Kind == "admission" && record.Decision.Verdict == "Allow" && !strings.Contains(strings.Join(record.Decision.Reasons, " "), "NOT_KNOWN") {
			t.Errorf("the record of %s says %s for %v, want NOT_KNOWN", record.Image.Origin, record.Decision.Verdict, record.Decision.Reasons)
		}
	}
}

func TestInformOnlyOpensTheGateForEverything(t *testing.T) {
	w := newWorldWithout(t, "VOUCHSAFE_INFORM_ONLY=true")
	cluster.Namespace(t, "open", nil)
	var group sync.WaitGroup
	for _, of := range workloads {
		for _, o := range w.outcomes()[2:] {
			group.Go(func() {
				answer := create(t, "open", of.kind, podNamed(o.image), "")
				if answer.Status != http.StatusCreated || len(answer.Warnings) != 1 {
					t.Errorf("%s with %s: got %d %s, warnings %q, want one and nothing else", of.kind, o.name, answer.Status, answer.Message(), answer.Warnings)
				}
			})
		}
	}
	group.Wait()
}

func (w *world) tellPinned(t *testing.T) {
	cluster.Namespace(t, "pinned", nil)
	create(t, "pinned", "Pod", podOf(w.signed), "")
	pod := decode(t, create(t, "pinned", "Pod", podOf(w.signed), ""))
	if got, want := pod.Spec.Containers[0].Image, rewritten(w.signed)+"@"+w.signed.Digest; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
	if original := pod.Metadata.Annotations["vouchsafe.dev/original-images"]; !strings.Contains(original, nameOf(w.signed)) {
		t.Errorf("the annotation says %q, want the original %s in it", original, nameOf(w.signed))
	}
}
