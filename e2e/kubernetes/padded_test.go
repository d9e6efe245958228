package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tellPadded makes reviews as large as a tenant can: the API server escapes "<" to
// six bytes, and an update has the object twice. Under failurePolicy Ignore an
// answer that is none would let the image in.
func (w *world) tellPadded(t *testing.T) {
	const namespace, path = "padded", "/api/v1/namespaces/padded/pods"
	cluster.Namespace(t, namespace, nil)
	// As it is: the JSON of a library would escape what the API server is to.
	padded := func(name, image string, bytes int) string {
		file := filepath.Join(t.TempDir(), "pod.json")
		text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":{"nodeSelector":{"e2e":"nowhere"},`+
			`"automountServiceAccountToken":false,"containers":[{"name":"app","image":%q,"env":[{"name":"X","value":"%s"}]}]}}`,
			name, image, strings.Repeat("<", bytes))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%+v", cluster.Kubectl(t, "create", "--raw", path, "-f", file))
	}
	images := func(name string) []string {
		got := cluster.Do(t, http.MethodGet, path+"/"+name, nil)
		if got.Status != http.StatusOK {
			return nil
		}
		return decode(t, got).Spec.images()
	}
	padded("unsigned", nameOf(w.unsigned), 560_000)
	if got := images("unsigned"); got != nil {
		t.Errorf("an unsigned pod of 3 MiB when escaped was let in, with the images %v", got)
	}
	padded("signed", nameOf(w.signed), 560_000)
	if got := images("signed"); len(got) != 1 || !strings.HasPrefix(got[0], pullHost+"/") {
		t.Errorf("a signed pod of 3 MiB when escaped has the images %v, want one that leads through the gateway", got)
	}
	var many []object
	for i := range 6_000 {
		many = append(many, container(fmt.Sprintf("c%d", i), nameOf(w.signed)))
	}
	whole := workloadOf("Pod").wrap(pod(object{"containers": many}))
	whole["metadata"] = object{"name": "many"}
	if got := cluster.Do(t, http.MethodPost, path, whole); got.Status != http.StatusCreated {
		t.Fatalf("6,000 signed containers: got %d %.300s", got.Status, got.Message())
	}
	for _, name := range []string{"signed", "many"} {
		patch := []map[string]any{{"op": "replace", "path": "/spec/containers/0/image", "value": nameOf(w.unsigned)}}
		got := cluster.Do(t, http.MethodPatch, path+"/"+name, patch)
		if got.Status != http.StatusForbidden {
			text, err := json.Marshal(images(name)[:1])
			t.Errorf("an update of %s to an unsigned image: got %d %.300s, the image is %s (%v)", name, got.Status, got.Message(), text, err)
		}
	}
}
