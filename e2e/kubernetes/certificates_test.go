package kubernetes_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"vouchsafe/e2e/internal/kubernetes"
)

// The paths of the configurations.
const (
	mutating   = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vouchsafe"
	validating = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/vouchsafe"
)

const secretPath = "/api/v1/namespaces/" + ours + "/secrets/" + secret

// failClosed has the API server refuse what the webhook does not answer, so that
// a moment without it shows.
func failClosed(t *testing.T) {
	t.Helper()
	setWebhooks(t, mutating, "failurePolicy", "Fail")
	setWebhooks(t, validating, "failurePolicy", "Fail")
}

// version is the resource version of what is at a path.
func version(t *testing.T, path string) string {
	t.Helper()
	return decode(t, cluster.Do(t, http.MethodGet, path, nil)).Metadata.ResourceVersion
}

// checkServed demands that for a while each review gets an answer of the webhook.
func checkServed(t *testing.T, w *world, during time.Duration) {
	t.Helper()
	end, reviews := time.Now().Add(during), 0
	for time.Now().Before(end) {
		reviews++
		if answer := create(t, "default", "Pod", podOf(w.signed), dryRun); answer.Status >= 300 {
			t.Fatalf("review %d: got %d %s", reviews, answer.Status, answer.Message())
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%d reviews in %s, all answered", reviews, during)
}

func TestASecretThatIsDeletedAndCABundlesThatAreLostHeal(t *testing.T) {
	w := newWorld(t)
	failClosed(t)
	cluster.MustDo(t, http.MethodDelete, secretPath, nil)
	checkServed(t, w, 3*time.Second)
	// The webhook has no right to make Secrets. Whoever installed it has, and the
	// webhook fills the empty one.
	cluster.MustKubectl(t, "apply", "-f", "../../deploy/webhook/secret.yaml", "--namespace", ours)
	setWebhooks(t, mutating, "clientConfig/caBundle", []byte{})
	setWebhooks(t, validating, "clientConfig/caBundle", []byte{})
	begun := time.Now()
	kubernetes.Await(t, "the Secret to be filled", func() bool {
		var secret struct{ Data map[string][]byte }
		cluster.MustDo(t, http.MethodGet, secretPath, nil).Object(t, &secret)
		return len(secret.Data) > 0
	}, w.g.Log)
	kubernetes.Await(t, "the CA bundles", func() bool {
		return len(bundle(t, mutating)) > 0 && bytes.Equal(bundle(t, validating), bundle(t, mutating))
	}, w.g.Log)
	took := time.Since(begun)
	t.Logf("put right after %s", took)
	if took > 31*time.Second {
		t.Errorf("put right after %s, want at most 30 s", took)
	}
	w.awaitEnforced(t)
	before := version(t, mutating) + " " + version(t, validating) + " " + version(t, secretPath)
	checkServed(t, w, 3*time.Second)
	if after := version(t, mutating) + " " + version(t, validating) + " " + version(t, secretPath); after != before {
		t.Errorf("what was right was written again: %s, then %s", before, after)
	}
}

func TestTwoReplicasServeByOneSecret(t *testing.T) {
	w := newWorld(t)
	failClosed(t)
	first, firstAddress := w.g, w.webhook
	before := version(t, secretPath)
	w.webhook = w.serve(t, w.documents(t))
	second := w.direct(t)
	// The second's certificate holds against the bundle that the first published.
	kubernetes.Await(t, "the second replica", func() bool {
		response, err := second.client.Get(second.base + "/validate")
		return err == nil && response.Body.Close() == nil
	}, w.g.Log)
	if after := version(t, secretPath); after != before {
		t.Errorf("the second replica wrote the Secret: version %s, then %s", before, after)
	}
	checkServed(t, w, 2*time.Second)
	// Both got some of the reviews.
	cluster.Namespace(t, "replicas", nil)
	for range 40 {
		create(t, "replicas", "Pod", podOf(w.signed), "")
	}
	of := map[string]int{"first": len(first.Audit(t)), "second": len(w.g.Audit(t))}
	if of["first"] == 0 || of["second"] == 0 {
		t.Errorf("records of the replicas: %v, want some of each", of)
	}
	// One goes, and nobody notices once its endpoint is gone.
	removeEndpoint(t, firstAddress)
	first.Stop(t)
	checkServed(t, w, 2*time.Second)
}
