package admission_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"vouchsafe/admission"
	"vouchsafe/policy"
)

// operation is one of a JSON patch.
type operation struct {
	Op, Path string
	Value    any
}

// patched applies a patch to the object of a request, as strictly as RFC 6902 asks,
// and returns the request with what came of it.
func patched(t *testing.T, request object, patch []byte) object {
	t.Helper()
	var copied object
	text, err := json.Marshal(request)
	check(t, err)
	check(t, json.Unmarshal(text, &copied))
	var operations []operation
	check(t, json.Unmarshal(patch, &operations))
	for _, o := range operations {
		parts := strings.Split(strings.TrimPrefix(o.Path, "/"), "/")
		at := copied["object"]
		for _, part := range parts[:len(parts)-1] {
			at = child(t, at, part)
		}
		last := strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[len(parts)-1])
		within, ok := at.(object)
		if !ok {
			t.Fatalf("%s: its parent is no object", o.Path)
		}
		if _, there := within[last]; o.Op == "replace" && !there || o.Op != "replace" && o.Op != "add" {
			t.Fatalf("%+v cannot be applied", o)
		}
		within[last] = o.Value
	}
	return copied
}

func child(t *testing.T, at any, part string) any {
	t.Helper()
	if list, is := at.([]any); is {
		i, err := strconv.Atoi(part)
		check(t, err)
		return list[i]
	}
	one, found := at.(object)[part]
	if !found {
		t.Fatalf("there is no %q", part)
	}
	return one
}

// imageOf returns the first image of a list.
func imageOf(request object, list string) string {
	first := request["object"].(object)["spec"].(object)[list].([]any)[0].(object)
	if list == "volumes" {
		return first["image"].(object)["reference"].(string)
	}
	return first["image"].(string)
}

func originalsOf(t *testing.T, request object) map[string]string {
	t.Helper()
	annotations, _ := request["object"].(object)["metadata"].(object)["annotations"].(object)
	text, found := annotations["vouchsafe.dev/original-images"].(string)
	if !found {
		return nil
	}
	var all map[string]string
	check(t, json.Unmarshal([]byte(text), &all))
	return all
}

func TestRewriting(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Pin = false })
	digest := "@sha256:" + strings.Repeat("a", 64)
	for image, want := range map[string]string{
		"nginx":                            pullHost + "/docker.io/library/nginx:latest",
		"acme/api:1":                       pullHost + "/docker.io/acme/api:1",
		"index.docker.io/acme/api:1":       pullHost + "/docker.io/acme/api:1",
		"docker.io/acme/api" + digest:      pullHost + "/docker.io/acme/api" + digest,
		"docker.io/acme/api:1" + digest:    pullHost + "/docker.io/acme/api:1" + digest,
		"registry.acme.com:5000/api:1":     pullHost + "/registry.acme.com_5000/api:1",
		"REGISTRY.acme.com:5000/api:1":     pullHost + "/registry.acme.com_5000/api:1",
		"registry.acme.com/api:1":          "",
		"[2001:db8::1]:5000/api:1":         "",
		unlisted:                           "",
		noName:                             "",
		"":                                 "",
		"sha256:abc":                       "",
		pullHost + "/docker.io/acme/api:1": "",
		pullHost + "/acme/api:1":           "",
		"LOCALHOST:5000/acme/api:1":        "",
		"docker.io/acme/" + strings.Repeat("a", 230):    "",
		"docker.io/acme/api:1" + strings.Repeat("0", 8): pullHost + "/docker.io/acme/api:100000000",
	} {
		for _, list := range lists {
			request := create("Pod", pod(list, image))
			got := w.mutate(request)
			if want == "" {
				if len(got.Patch) > 0 {
					t.Errorf("%s in %s: got %s", image, list, got.Patch)
				}
				continue
			}
			after := patched(t, request, got.Patch)
			if image := imageOf(after, list); image != want || got.PatchType != "JSONPatch" {
				t.Errorf("%s in %s: got %s", image, list, image)
			}
			if all := originalsOf(t, after); len(all) != 1 || all[list+"/a"] != image {
				t.Errorf("%s in %s: originals %v", image, list, all)
			}
			if again := w.mutate(after); len(again.Patch) > 0 {
				t.Errorf("%s in %s: a second time %s", image, list, again.Patch)
			}
		}
	}
	if asked := w.registry.Requests(); len(asked) > 0 || len(w.written()) > 0 {
		t.Errorf("a registry was asked: %v", asked)
	}
}

func TestPinning(t *testing.T) {
	w := newWorld(t)
	rewritten := func(image string) string {
		request := create("Pod", pod("containers", image))
		got := w.mutate(request)
		if len(got.Patch) == 0 {
			return image
		}
		return imageOf(patched(t, request, got.Patch), "containers")
	}
	short := func(image string) string { return pullHost + "/" + image }
	for _, image := range []string{signed, unsigned, watched} {
		if got := rewritten(image); got != short(image) {
			t.Errorf("not known: %s", got)
		}
	}
	for _, image := range []string{signed, unsigned, watched} {
		_, err := w.resolver.Resolve(t.Context(), reference(t, image))
		check(t, err)
		if got := rewritten(image); got != short(image) {
			t.Errorf("resolved, not judged: %s", got)
		}
	}
	w.known(signed, unsigned, watched)
	for image, want := range map[string]string{
		signed:   short(signed) + "@" + w.digest("acme/signed"),
		watched:  short(watched) + "@" + w.digest("team/unsigned"),
		unsigned: short(unsigned),
	} {
		if got := rewritten(image); got != want {
			t.Errorf("known: got %s, want %s", got, want)
		}
	}
	w.set(func(r *policy.Rules) { r.InformOnly = true })
	if got := rewritten(unsigned); !strings.Contains(got, "@sha256:") {
		t.Errorf("known, and served since the gate is open: %s", got)
	}
	if len(w.written()) > 0 {
		t.Error("it was recorded")
	}
}

func TestOnlyPodsAreRewritten(t *testing.T) {
	w := newWorld(t)
	for _, k := range kinds[1:] {
		if got := w.mutate(create(k.kind, pod("containers", signed))); len(got.Patch) > 0 {
			t.Errorf("%s: got %s", k.kind, got.Patch)
		}
	}
	none := newWorld(t, func(c *admission.Config) { c.PullHost = "" })
	if got := none.mutate(create("Pod", pod("containers", signed))); len(got.Patch) > 0 {
		t.Errorf("without PULL_HOST: got %s", got.Patch)
	}
	if got := none.validate(create("Pod", pod("containers", signed))); !got.Allowed || len(got.Warnings) > 0 {
		t.Errorf("without PULL_HOST: got %+v", got)
	}
}

func TestUpdatesRewriteWhatChanged(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Pin = false })
	before := pod("containers", signed, pullHost+"/docker.io/acme/api:1")
	if got := w.mutate(change("Pod", before, before)); len(got.Patch) > 0 {
		t.Errorf("without a change: %s", got.Patch)
	}
	request := change("Pod", before, pod("containers", signed, "docker.io/acme/api:2"))
	got := w.mutate(request)
	after := patched(t, request, got.Patch)
	if strings.Count(string(got.Patch), `"replace"`) != 1 || !strings.Contains(string(got.Patch), `"/spec/containers/1/image"`) {
		t.Errorf("with one: %s", got.Patch)
	}
	if all := originalsOf(t, after); len(all) != 1 || all["containers/b"] != "docker.io/acme/api:2" {
		t.Errorf("originals %v", all)
	}
	// Without the old object all of it is new.
	request["oldObject"] = nil
	if got := w.mutate(request); strings.Count(string(got.Patch), `"replace"`) != 2 {
		t.Errorf("without the old object: %s", got.Patch)
	}
}

func TestEphemeralContainersAloneAreRewrittenOnTheirSubresource(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Pin = false })
	before, after := pod("containers", signed), pod("containers", signed+"-changed")
	after["ephemeralContainers"] = pod("ephemeralContainers", "busybox")["ephemeralContainers"]
	got := w.mutate(with(change("Pod", before, after), "subResource", "ephemeralcontainers"))
	want := `[{"op":"replace","path":"/spec/ephemeralContainers/0/image","value":"localhost:5000/docker.io/library/busybox:latest"}]`
	if string(got.Patch) != want {
		t.Errorf("got %s", got.Patch)
	}
	for _, sub := range []string{"resize", "status", "binding"} {
		if got := w.mutate(with(change("Pod", before, after), "subResource", sub)); len(got.Patch) > 0 {
			t.Errorf("%s: got %s", sub, got.Patch)
		}
	}
}

// TestTheAnnotationIsForPeople presets it in each way that a tenant may.
func TestTheAnnotationIsForPeople(t *testing.T) {
	w := newWorld(t, func(c *admission.Config) { c.Pin = false })
	const key = "vouchsafe.dev/original-images"
	for name, c := range map[string]struct {
		annotations any
		want        map[string]string
	}{
		"none":               {nil, map[string]string{"containers/a": signed}},
		"empty":              {object{}, map[string]string{"containers/a": signed}},
		"others":             {object{"a/b": "c", "~1": "d"}, map[string]string{"containers/a": signed}},
		"a lie about itself": {object{key: `{"containers/a":"docker.io/acme/other:1"}`}, map[string]string{"containers/a": signed}},
		"a lie about another": {
			object{key: `{"containers/b":"docker.io/acme/other:1","containers/z":"nginx"}`}, map[string]string{"containers/a": signed},
		},
		"an earlier review's": {
			object{key: `{"containers/b":"acme/api:1"}`}, map[string]string{"containers/a": signed, "containers/b": "acme/api:1"},
		},
		"no JSON":   {object{key: `{"containers/b":`}, map[string]string{"containers/a": signed}},
		"no object": {object{key: `["x"]`}, map[string]string{"containers/a": signed}},
		"huge":      {object{key: `{"containers/b":"` + strings.Repeat("a", 200<<10) + `"}`}, map[string]string{"containers/a": signed}},
	} {
		request := create("Pod", pod("containers", signed, pullHost+"/docker.io/acme/api:1"))
		metadata := request["object"].(object)["metadata"].(object)
		if name != "none" {
			metadata["annotations"] = c.annotations
		}
		got := w.mutate(request)
		after := patched(t, request, got.Patch)
		if all := originalsOf(t, after); fmt.Sprint(all) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %v", name, all)
		}
		if name == "others" && after["object"].(object)["metadata"].(object)["annotations"].(object)["a/b"] != "c" {
			t.Errorf("%s: they are gone", name)
		}
		if again := w.mutate(after); len(again.Patch) > 0 {
			t.Errorf("%s: a second time %s", name, again.Patch)
		}
		// What it says counts for nothing.
		metadata["annotations"] = object{key: `{"containers/a":"` + signed + `"}`}
		request["object"].(object)["spec"] = pod("containers", unsigned)
		if got := w.validate(request); got.Allowed {
			t.Errorf("%s: an unsigned image is allowed", name)
		}
	}
}

func TestPatchesAreGolden(t *testing.T) {
	w := newWorld(t)
	w.known(signed)
	spec := pod("containers", signed, "nginx", unlisted)
	spec["initContainers"] = []any{object{"name": "sidecar", "image": watched, "restartPolicy": "Always"}}
	spec["volumes"] = []any{object{"name": "tmp", "emptyDir": object{}}, object{"name": "model", "image": object{"reference": "registry.acme.com:5000/model:2"}}}
	request := create("Pod", spec)
	got := w.post("/mutate", review(t, request)).Body.String() + "\n" + string(w.mutate(request).Patch) + "\n"
	request["object"].(object)["metadata"].(object)["annotations"] = object{"a": "b"}
	got += string(w.mutate(request).Patch) + "\n"
	for _, o := range outcomes {
		got += "\n# " + o.name + "\n" + w.post("/validate", review(t, create("Deployment", pod("containers", o.image)))).Body.String() + "\n"
	}
	got += "\n# several, and one twice\n" + w.post("/validate", review(t, create("Pod", pod("containers", missing, unsigned, watched, unlisted, unsigned)))).Body.String() + "\n"
	golden(t, "testdata/answers.golden", got)
}

func TestAManifestThatIsAppliedAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	digest, other := "@sha256:"+strings.Repeat("a", 64), "@sha256:"+strings.Repeat("b", 64)
	name := pullHost + "/docker.io/acme/other:1"
	for _, c := range []struct{ says, had, written, want string }{
		{"the name that was rewritten", name, "acme/other:1", name},
		{"with the digest that was added then", name + digest, "docker.io/acme/other:1", name + digest},
		{"with the digest that it has itself", name + digest, "acme/other:1" + digest, name + digest},
		{"another tag is another image", name + digest, "acme/other:2", pullHost + "/docker.io/acme/other:2"},
		{"another digest is another image", name + digest, "acme/other:1" + other, name + other},
		{"a digest that there was none of", name, "acme/other:1" + digest, name + digest},
		{"another repository", pullHost + "/docker.io/acme/api:1", "acme/other:1", name},
		{"one that was not rewritten then", "acme/other:2", "acme/other:1", name},
	} {
		for _, list := range []string{"containers", "initContainers", "volumes"} {
			request := change("Pod", pod(list, c.had), pod(list, c.written))
			if got := imageOf(patched(t, request, w.mutate(request).Patch), list); got != c.want {
				t.Errorf("%s, in %s: got %s, want %s", c.says, list, got, c.want)
			}
		}
	}
}
