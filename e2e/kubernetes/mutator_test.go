package kubernetes_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
)

// undoing is a mutating webhook that puts back the first container's image, as a
// tool does that has its own mind about images. It counts how often it did.
type undoing struct {
	image string
	times atomic.Int64
}

func (u *undoing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Request struct {
			UID    string
			Object struct{ Spec podSpec }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := object{"uid": asked.Request.UID, "allowed": true}
	if spec := asked.Request.Object.Spec; len(spec.Containers) > 0 && spec.Containers[0].Image != u.image {
		u.times.Add(1)
		patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/containers/0/image","value":%q}]`, u.image)
		answer["patchType"], answer["patch"] = "JSONPatch", []byte(patch)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})
}

// undo installs the webhook, which is called after ours, for one namespace.
func undo(t *testing.T, namespace, image, reinvocation string) *undoing {
	t.Helper()
	u := &undoing{image: image}
	server := httptest.NewTLSServer(u)
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	name := "zz-" + namespace
	t.Cleanup(func() { cluster.Delete(strings.Replace(mutating, "/vouchsafe", "/"+name, 1)) })
	cluster.MustKubectl(t, "apply", "-f", kubernetes.File(t, "undo.yaml", fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: %s}
webhooks:
  - name: undo.e2e.test
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Fail
    reinvocationPolicy: %s
    clientConfig: {url: "%s/", caBundle: %s}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced}]
`, name, reinvocation, server.URL, base64.StdEncoding.EncodeToString(ca), namespace)))
	kubernetes.Await(t, "the API server to ask the other webhook", func() bool {
		create(t, namespace, "Pod", podNamed(image), dryRun)
		return u.times.Load() > 0
	}, func() string { return "" })
	u.times.Store(0)
	return u
}

func (w *world) tellUndone(t *testing.T) {
	t.Run("once: ours is invoked again and has the last word", func(t *testing.T) {
		cluster.Namespace(t, "undo-once", nil)
		u := undo(t, "undo-once", nameOf(w.signed), "Never")
		answer := create(t, "undo-once", "Pod", podOf(w.signed), "")
		w.checkRewritten(t, answer, nameOf(w.signed))
		if u.times.Load() != 1 || len(answer.Warnings) > 0 {
			t.Errorf("the other undid it %d times, warnings %q, want once and none", u.times.Load(), answer.Warnings)
		}
	})
	t.Run("always: the pod is judged by its origin, and somebody says that the pull goes past the gateway", func(t *testing.T) {
		cluster.Namespace(t, "undo-always", nil)
		u := undo(t, "undo-always", nameOf(w.signed), "IfNeeded")
		answer := create(t, "undo-always", "Pod", podOf(w.signed), "")
		if got := decode(t, answer).Spec.Containers[0].Image; got != nameOf(w.signed) {
			t.Fatalf("the image is %s: the other mutator did not have the last word, so this shows nothing", got)
		}
		if u.times.Load() < 2 || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "not pulled through the gateway") {
			t.Errorf("undone %d times, warnings %q, want one about the pull", u.times.Load(), answer.Warnings)
		}
	})
	t.Run("an unsigned image that it puts there is denied", func(t *testing.T) {
		cluster.Namespace(t, "undo-bad", nil)
		undo(t, "undo-bad", nameOf(w.unsigned), "IfNeeded")
		answer := create(t, "undo-bad", "Pod", podOf(w.signed), "")
		if answer.Status != http.StatusForbidden || !strings.Contains(answer.Message(), w.unsigned.Repository) {
			t.Errorf("got %d %s, want a refusal of what the pod ends with", answer.Status, answer.Message())
		}
	})
}
