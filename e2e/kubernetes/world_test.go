package kubernetes_test

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

const (
	policyName = "prod-signed"
	signerName = "release-team"
	// pullHost is by which name nodes reach the gateway.
	pullHost = "localhost:5000"
	// ours is the namespace of the webhook, its Service and its Secret, as deploy/
	// has them.
	ours    = "vouchsafe"
	service = "vouchsafe-webhook"
	secret  = "vouchsafe-webhook-tls"
)

// The registries of the documents besides docker.io, and one that they do not
// have. Nobody listens where dead.test would be.
const (
	dead     = "dead.test"
	unlisted = "unlisted.test"
)

// world is a registry with images, a gateway with its webhook, and a cluster in
// which that webhook is configured.
type world struct {
	at      *origin.Registry
	key     *cosign.Key
	g       *gateway.Gateway
	webhook string // its address
	// signed, other and unsigned are under acme, where signatures are enforced, and
	// the first two have one; warned is unsigned, where they are only asked for.
	signed, other, unsigned, warned origin.Image
}

// newWorld makes a world; env holds further settings of the gateway.
func newWorld(t *testing.T, env ...string) *world {
	t.Helper()
	w := newWorldWithout(t, env...)
	w.awaitEnforced(t)
	return w
}

// newWorldWithout makes a world that need not refuse anything.
func newWorldWithout(t *testing.T, env ...string) *world {
	t.Helper()
	w := newOrigin(t)
	install(t)
	w.webhook = w.serve(t, w.documents(t), env...)
	w.awaitWebhook(t)
	return w
}

// newOrigin makes the registry and its images alone.
func newOrigin(t *testing.T) *world {
	t.Helper()
	layout := cosign.Layouts()[0]
	w := &world{at: origin.Distribution(t, nil), key: cosign.NewKey(t, layout)}
	w.signed = w.at.Push(t, "acme/signed", "1", "pause")
	w.other = w.at.Push(t, "acme/other", "1", "pause")
	w.unsigned = w.at.Push(t, "acme/unsigned", "1", "pause")
	w.warned = w.at.Push(t, "informed/unsigned", "1", "pause")
	w.key.Sign(t, w.at, w.signed, layout)
	w.key.Sign(t, w.at, w.other, layout)
	w.at.Reset()
	return w
}

func (w *world) documents(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"docker.yaml":      gateway.Registry("docker.io", w.at.Host),
		"dead.yaml":        gateway.Registry(dead, "127.0.0.1:9"),
		"integration.yaml": gateway.Integration(signerName, w.key.PEM(t)),
		"enforced.yaml":    gateway.Policy(policyName, "InformAndEnforce", `"docker.io/acme/**", "`+dead+`/**"`, []string{signerName}),
		"informed.yaml":    gateway.Policy("informed", "Inform", `"docker.io/informed/**"`, []string{signerName}),
	}
}

// install applies what deploy/webhook has, except for the processes, which the
// tests run. It takes the configurations away with the test: those of one test
// are not for the pods of another.
func install(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		for _, path := range []string{mutating, validating, secretPath, slicesPath} {
			cluster.Delete(path)
		}
	})
	out, err := kustomized()
	check(t, err)
	var kept []string
	for document := range strings.SplitSeq(out, "\n---\n") {
		if !strings.Contains("\n"+document, "\nkind: Deployment\n") {
			kept = append(kept, document)
		}
	}
	cluster.MustKubectl(t, "apply", "-f", kubernetes.File(t, "webhook.yaml", strings.Join(kept, "\n---\n")))
}

// kustomized is deploy/webhook, in one text.
var kustomized = sync.OnceValues(func() (string, error) {
	out, err := exec.Command(filepath.Join(tool.Path("kubernetes"), "kubectl"), "kustomize", "../../deploy/webhook").Output()
	return string(out), err
})

// setWebhooks sets a field of each webhook of a configuration.
func setWebhooks(t *testing.T, path, field string, value any) {
	t.Helper()
	var configuration struct{ Webhooks []struct{ Name string } }
	cluster.MustDo(t, http.MethodGet, path, nil).Object(t, &configuration)
	var patch []map[string]any
	for i := range configuration.Webhooks {
		patch = append(patch, map[string]any{"op": "add", "path": fmt.Sprintf("/webhooks/%d/%s", i, field), "value": value})
	}
	cluster.MustDo(t, http.MethodPatch, path, patch)
}

// serve starts a gateway with a webhook behind the Service and returns the
// webhook's address.
func (w *world) serve(t *testing.T, documents map[string]string, env ...string) string {
	t.Helper()
	address := freeAddress(t)
	w.g = gateway.Start(t, documents, append([]string{
		"VOUCHSAFE_WEBHOOK_LISTEN=" + address,
		"VOUCHSAFE_WEBHOOK_SECRET=" + ours + "/" + secret,
		"VOUCHSAFE_WEBHOOK_CONFIGURATIONS=vouchsafe",
		"VOUCHSAFE_PULL_HOST=" + pullHost,
		"VOUCHSAFE_WHEN_NO_POLICY=Deny",
		"VOUCHSAFE_DATA_DIR=" + t.TempDir(),
		"KUBECONFIG=" + cluster.Account(t, ours, service),
	}, env...)...)
	endpoint(t, address)
	return address
}

// slicesPath has the addresses behind the Service.
const slicesPath = "/apis/discovery.k8s.io/v1/namespaces/" + ours + "/endpointslices"

// endpoint puts an address behind the webhook's Service.
func endpoint(t *testing.T, address string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	check(t, err)
	cluster.MustKubectl(t, "apply", "-f", kubernetes.File(t, "slice.yaml", fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s-%s, namespace: %s, labels: {kubernetes.io/service-name: %s}}
addressType: IPv4
ports: [{name: webhook, port: %s, protocol: TCP}]
endpoints: [{addresses: [%s], conditions: {ready: true}}]
`, service, port, ours, service, port, host)))
}

// removeEndpoint takes an address away, and waits until the API server knows.
func removeEndpoint(t *testing.T, address string) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	check(t, err)
	cluster.MustKubectl(t, "-n", ours, "delete", "endpointslice/"+service+"-"+port)
	// The API server watches them; there is no sign of what it has seen.
	time.Sleep(time.Second)
}

// awaitWebhook waits until the API server asks both halves of the webhook: it
// learns of configurations, CA bundles and endpoints some time after they are
// there.
func (w *world) awaitWebhook(t *testing.T) {
	t.Helper()
	w.awaitVerdicts(t)
	var last kubernetes.Answer
	kubernetes.Await(t, "the API server to ask for rewrites", func() bool {
		last = create(t, "default", "Pod", podOf(w.signed), dryRun)
		return last.Status < 300 && strings.Contains(string(last.Body), pullHost)
	}, func() string { return fmt.Sprintf("%d %s\n%s", last.Status, last.Body, w.g.Log()) })
}

// awaitVerdicts waits until the API server asks for verdicts, shown by an image
// for which no registry has to be asked.
func (w *world) awaitVerdicts(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"Pod", "Deployment"} {
		var last kubernetes.Answer
		kubernetes.Await(t, "the API server to ask for verdicts", func() bool {
			last = create(t, "default", kind, podNamed(unlisted+"/ready:1"), dryRun)
			return last.Status == http.StatusForbidden || len(last.Warnings) > 0
		}, func() string { return fmt.Sprintf("%d %s\n%s", last.Status, last.Body, w.g.Log()) })
	}
}

// awaitEnforced waits until an unsigned image is refused in pods and templates.
func (w *world) awaitEnforced(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"Pod", "Deployment"} {
		var last kubernetes.Answer
		kubernetes.Await(t, "the API server to ask the webhook", func() bool {
			last = create(t, "default", kind, podOf(w.unsigned), dryRun)
			return last.Status == http.StatusForbidden && strings.Contains(last.Message(), policyName)
		}, func() string { return fmt.Sprintf("%d %s\n%s", last.Status, last.Message(), w.said()) })
	}
}

// said is what the webhook wrote, or what the cluster says where it is a pod.
func (w *world) said() string {
	if w.g == nil {
		return explain()
	}
	return w.g.Log()
}

// nameOf is an image's name, by tag, as manifests have it.
func nameOf(image origin.Image) string { return "docker.io/" + image.Repository + ":" + image.Tag }

// rewritten is the name by which nodes pull it.
func rewritten(image origin.Image) string { return pullHost + "/" + nameOf(image) }

// freeAddress returns an address of the machine that nobody listens on, and that
// endpoints may have, which 127.0.0.1 is not.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", kubernetes.NodeIP+":0")
	check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
