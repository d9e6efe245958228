package kubernetes_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/origin"
)

// file writes an object as a manifest.
func file(t *testing.T, name string, whole object) string {
	t.Helper()
	text, err := json.MarshalIndent(whole, "", "  ")
	check(t, err)
	return kubernetes.File(t, name, string(text))
}

// podFile is a manifest of a pod of the images.
func podFile(t *testing.T, name string, images ...origin.Image) string {
	t.Helper()
	var containers []object
	for i, image := range images {
		containers = append(containers, container("app"+strings.Repeat("2", i), nameOf(image)))
	}
	whole := pod(object{"containers": containers})
	return file(t, name+".json", object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name}, "spec": whole["spec"]})
}

// deploymentFile is a manifest of a Deployment without replicas.
func deploymentFile(t *testing.T, name string, image origin.Image) string {
	t.Helper()
	whole := selecting(podOf(image))
	return file(t, name+".json", object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name}, "spec": whole["spec"]})
}

func (w *world) tellWords(t *testing.T) {
	g := openWords(t)
	const in = "words"
	cluster.Namespace(t, in, nil)

	g.kubectl(t, "", in, "apply", "-f", podFile(t, "signed", w.signed))
	g.kubectl(t, "", in, "apply", "-f", podFile(t, "informed", w.warned))
	g.kubectl(t, "", in, "apply", "-f", podFile(t, "unsigned", w.unsigned))
	g.kubectl(t, "", in, "create", "-f", podFile(t, "mixed", w.signed, w.unsigned))
	g.kubectl(t, "", in, "apply", "--dry-run=server", "-f", podFile(t, "unsigned-dry", w.unsigned))
	g.kubectl(t, "", in, "apply", "-f", deploymentFile(t, "unsigned-app", w.unsigned))
	g.kubectl(t, "", in, "apply", "-f", deploymentFile(t, "app", w.signed))
	g.kubectl(t, "", in, "set", "image", "deployment/app", "app="+nameOf(w.unsigned))
	g.kubectl(t, "", in, "set", "image", "deployment/app", "app="+nameOf(w.warned))
	g.kubectl(t, "", in, "run", "shell", "--image="+nameOf(w.unsigned))
	g.kubectl(t, "", in, "run", "shell", "--image="+unlisted+"/acme/shell:1")
	g.kubectl(t, "", in, "run", "shell", "--image="+dead+"/acme/shell:1")
	g.kubectl(t, "", in, "debug", "signed", "--profile=general", "--container=debugger", "--image="+nameOf(w.unsigned))
	g.kubectl(t, "", in, "create", "job", "task", "--image="+nameOf(w.unsigned))
	g.kubectl(t, "", in, "create", "cronjob", "task", "--schedule=0 0 1 1 *", "--image="+nameOf(w.unsigned))
	g.kubectl(t, "", in, "get", "pod", "signed", "-o", "jsonpath={.spec.containers[*].image} {.metadata.annotations}")

	t.Run("a rollout whose pods are denied", func(t *testing.T) { w.checkRollout(t, g) })
	t.Run("the webhook is down", func(t *testing.T) { w.checkDown(t, g) })
}

// checkRollout lets a Deployment in while its policy informs, and has it make
// pods when the policy enforces.
func (w *world) checkRollout(t *testing.T, g *words) {
	const in = "words"
	w.g.Write(t, "enforced.yaml", strings.Replace(w.documents(t)["enforced.yaml"], "InformAndEnforce", "Inform", 1))
	w.g.Await(t, "the open policy", func() bool { return create(t, in, "Pod", podOf(w.unsigned), dryRun).Status < 300 })
	g.kubectl(t, "the policy informs", in, "apply", "-f", deploymentFile(t, "rollout", w.unsigned))
	w.g.Write(t, "enforced.yaml", w.documents(t)["enforced.yaml"])
	w.g.Await(t, "the closed policy", func() bool {
		return create(t, in, "Pod", podOf(w.unsigned), dryRun).Status == http.StatusForbidden
	})
	g.kubectl(t, "the policy enforces", in, "scale", "deployment/rollout", "--replicas=1")
	const condition = `jsonpath={.status.conditions[?(@.type=="ReplicaFailure")].message}`
	kubernetes.Await(t, "the Deployment to say why", func() bool {
		answer := cluster.MustDo(t, http.MethodGet, "/apis/apps/v1/namespaces/"+in+"/deployments/rollout", nil)
		return strings.Contains(string(answer.Body), "ReplicaFailure")
	}, w.g.Log)
	g.kubectl(t, "", in, "get", "deployment/rollout", "-o", condition)
	g.kubectl(t, "", in, "get", "events", "--field-selector=reason=FailedCreate,involvedObject.kind=ReplicaSet", "-o", `jsonpath={.items[0].reason}: {.items[0].message}`)
}

// checkDown ends the gateway.
func (w *world) checkDown(t *testing.T, g *words) {
	const in = "words"
	w.g.Stop(t)
	// Both halves fail open, as they are installed.
	kubernetes.Await(t, "the end of the webhook", func() bool {
		return create(t, in, "Pod", podOf(w.unsigned), dryRun).Status < 300
	}, w.g.Log)
	g.kubectl(t, "the webhook is down, failurePolicy: Ignore", in, "create", "-f", podFile(t, "ignored", w.unsigned))
	setWebhooks(t, validating, "failurePolicy", "Fail")
	kubernetes.Await(t, "the API server to fail closed", func() bool {
		return create(t, in, "Pod", podOf(w.unsigned), dryRun).Status == http.StatusInternalServerError
	}, w.g.Log)
	g.kubectl(t, "the webhook is down, failurePolicy: Fail", in, "create", "-f", podFile(t, "failed", w.unsigned))
	// What must go on without the webhook: its own namespace and the system's.
	for _, namespace := range []string{ours, "kube-system"} {
		if answer := create(t, namespace, "Pod", podOf(w.unsigned), dryRun); answer.Status >= 300 && !strings.Contains(answer.Message(), "PodSecurity") {
			t.Errorf("a pod in %s: got %d %s, want that nobody asks the webhook", namespace, answer.Status, answer.Message())
		}
	}
}
