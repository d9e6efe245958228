package admission_test

import (
	"encoding/json"
	"testing"

	"vouchsafe/oci"
)

// FuzzReview never panics, and never allows without having judged what the API
// server would run.
func FuzzReview(f *testing.F) {
	for _, o := range outcomes {
		f.Add("/validate", review(f, create("Pod", pod("containers", o.image))))
		f.Add("/mutate", review(f, change("Pod", pod("volumes", signed), pod("volumes", o.image))))
		f.Add("/validate", review(f, create("CronJob", pod("initContainers", o.image))))
	}
	w := newWorld(f)
	w.known(signed, unsigned, watched)
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		if path != "/mutate" {
			path = "/validate"
		}
		w.verdicts = nil
		got := w.post(path, body)
		w.written()
		if got.Code == 500 {
			t.Fatalf("HTTP 500: %s", got.Body)
		}
		if got.Code != 200 {
			return
		}
		var answered struct{ Response answer }
		if err := json.Unmarshal(got.Body.Bytes(), &answered); err != nil || answered.Response.UID == "" {
			t.Fatalf("got %s", got.Body)
		}
		if path == "/mutate" {
			if !answered.Response.Allowed {
				t.Fatalf("to mutate refuses: %s", got.Body)
			}
			return
		}
		// What a pod of this review would run, read by the letter.
		var sent object
		if json.Unmarshal(body, &sent) != nil || !answered.Response.Allowed {
			return
		}
		request, _ := sent["request"].(object)
		kind, _ := request["kind"].(object)
		if request["operation"] != "CREATE" || kind["kind"] != "Pod" || kind["version"] != "v1" || kind["group"] != nil && kind["group"] != "" {
			return
		}
		for _, image := range imagesOf(request["object"]) {
			ref, err := oci.ParseReference(image)
			if err != nil || ref.Repository.String() == "docker.io/acme/unsigned" {
				t.Fatalf("%q is allowed: %s", image, body)
			}
		}
	})
}

// imagesOf returns the images of a pod.
func imagesOf(pod any) (all []string) {
	one, _ := pod.(object)
	spec, _ := one["spec"].(object)
	for _, list := range lists {
		entries, _ := spec[list].([]any)
		for _, entry := range entries {
			at, _ := entry.(object)
			name := "image"
			if list == "volumes" {
				if at, name = nil, "reference"; entry != nil {
					at, _ = entry.(object)["image"].(object)
				}
			}
			if image, is := at[name].(string); is {
				all = append(all, image)
			}
		}
	}
	return all
}
