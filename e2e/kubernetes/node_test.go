package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// productImage is the name under which deploy/base looks for the product.
const productImage = "registry.example.com/vouchsafe:latest"

// site is a whole node with the product installed from deploy/.
type site struct {
	*world
	layout cosign.Layout
	folder string // a copy of deploy/ with documents of the tests
}

// newSite starts a node and installs the product, as docs/kubernetes.md says.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{world: newOrigin(t), layout: cosign.Layouts()[0], folder: t.TempDir()}
	pause := s.at.Push(t, "system/pause", "1", "pause")
	check(t, cluster.AddNode(pause.ByTag()))
	check(t, cluster.Import(tarOf(t, tool.Path("image"), productImage)))
	check(t, os.CopyFS(s.folder, os.DirFS("../../deploy")))
	s.writeDocuments(t)
	begun := time.Now()
	cluster.MustKubectl(t, "apply", "-k", filepath.Join(s.folder, "base"))
	s.awaitInstalled(t)
	t.Logf("installed, with both halves ready, after %s", time.Since(begun).Round(100*time.Millisecond))
	return s
}

// writeDocuments puts documents in place of the example's.
func (s *site) writeDocuments(t *testing.T) {
	t.Helper()
	documents := s.documents(t)
	documents["docker.yaml"] = gateway.Registry("docker.io", relay(t, s.at.Host))
	var names []string
	for name, text := range documents {
		check(t, os.WriteFile(filepath.Join(s.folder, "documents", name), []byte(text), 0o600))
		names = append(names, "      - "+name)
	}
	list := filepath.Join(s.folder, "documents", "kustomization.yaml")
	text, err := os.ReadFile(list)
	check(t, err)
	check(t, os.WriteFile(list, []byte(strings.Replace(string(text), "      - policy.yaml", strings.Join(names, "\n"), 1)), 0o600))
}

// awaitInstalled waits until both halves are ready and the webhook is asked.
func (s *site) awaitInstalled(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"rollout", "status", "--timeout=90s", "--namespace=vouchsafe-node", "daemonset/vouchsafe-gateway"},
		{"rollout", "status", "--timeout=90s", "--namespace=vouchsafe", "deployment/vouchsafe-webhook"},
	} {
		if out := cluster.Kubectl(t, args...); out.Code != 0 {
			t.Fatalf("not installed: %s\n%s", out.All(), explain())
		}
	}
	// The API server learns of the CA bundle some time later, and until then nobody
	// is refused. From then on every replica that is ready has its certificate.
	s.awaitEnforced(t)
	for range 20 {
		for _, kind := range []string{"Pod", "Deployment"} {
			if answer := create(t, "default", kind, podOf(s.unsigned), dryRun); answer.Status != http.StatusForbidden {
				t.Fatalf("a %s was let in while every replica said that it is ready: %d %s\n%s", kind, answer.Status, answer.Body, explain())
			}
		}
	}
}

// explain is what one looks at when a node does not do what it should.
func explain() string {
	var b strings.Builder
	for _, args := range [][]string{
		{"get", "pods", "--all-namespaces", "--output=wide"},
		{"get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"},
		{"logs", "--namespace=vouchsafe", "--selector=app.kubernetes.io/name=vouchsafe", "--tail=20"},
		{"logs", "--namespace=vouchsafe-node", "--selector=app.kubernetes.io/name=vouchsafe", "--tail=20"},
	} {
		fmt.Fprintf(&b, "$ kubectl %s\n%s", strings.Join(args, " "), cluster.Show(args...))
	}
	return b.String()
}

// relay makes what listens on loopback reachable for pods, and returns where.
func relay(t *testing.T, to string) string {
	t.Helper()
	listener, err := net.Listen("tcp", kubernetes.NodeIP+":0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, pipe := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pipe[0], pipe[1])
					_ = pipe[0].Close()
				}()
			}
		}
	}()
	return listener.Addr().String()
}

// tarOf packs the image of an OCI layout under a name.
func tarOf(t *testing.T, layout, name string) string {
	t.Helper()
	folder := t.TempDir()
	check(t, os.CopyFS(folder, os.DirFS(layout)))
	index := filepath.Join(folder, "index.json")
	encoded, err := os.ReadFile(index)
	check(t, err)
	var whole object
	check(t, json.Unmarshal(encoded, &whole))
	for _, manifest := range whole["manifests"].([]any) {
		// The annotation by which containerd takes a name from elsewhere.
		manifest.(object)["annotations"] = object{"io.containerd.image.name": name}
	}
	encoded, err = json.Marshal(whole)
	check(t, err)
	check(t, os.WriteFile(index, encoded, 0o600))
	file := filepath.Join(t.TempDir(), "image.tar")
	tool.MustRun(t, nil, "tar", "-C", folder, "-cf", file, ".")
	return file
}

// start creates a pod that may run on the node, and returns its name.
func (s *site) start(t *testing.T, namespace string, spec object) string {
	t.Helper()
	whole := pod(spec)
	delete(whole["spec"].(object), "nodeSelector")
	answer := create(t, namespace, "Pod", whole, "")
	return decode(t, answer).Metadata.Name
}

// state is what the tests read of a pod's status.
type state struct {
	Spec   podSpec
	Status struct {
		Phase                                                                string
		ContainerStatuses, InitContainerStatuses, EphemeralContainerStatuses []struct {
			Name, Image, ImageID string
			Ready                bool
			State                struct {
				Waiting    *struct{ Reason, Message string }
				Running    *struct{}
				Terminated *struct{ ExitCode int }
			}
		}
	}
}

func (s *site) state(t *testing.T, namespace, name string) state {
	t.Helper()
	var found state
	cluster.MustDo(t, http.MethodGet, at(workloads[0], namespace)+"/"+name, nil).Object(t, &found)
	return found
}

// awaitRunning waits until a pod runs.
func (s *site) awaitRunning(t *testing.T, namespace, name string) state {
	t.Helper()
	var found state
	kubernetes.Await(t, "pod "+name+" to run", func() bool {
		found = s.state(t, namespace, name)
		return found.Status.Phase == "Running"
	}, func() string {
		return cluster.Show("--namespace", namespace, "describe", "pod", name) + explain()
	})
	return found
}

// checkRuns demands that a container of the pod was started from an image, by
// the digest that was verified, and that the node pulled it through the gateway.
func (s *site) checkRuns(t *testing.T, found state, digest string) {
	t.Helper()
	status := found.Status.ContainerStatuses[0]
	if !strings.HasSuffix(status.ImageID, "@"+digest) {
		t.Errorf("the pod runs %s, want %s", status.ImageID, digest)
	}
	if !strings.HasPrefix(found.Spec.Containers[0].Image, pullHost+"/") {
		t.Errorf("the pod's image is %s, want it below %s", found.Spec.Containers[0].Image, pullHost)
	}
}

// checkOnlyGateway demands that nobody but the product asked the registry.
func (s *site) checkOnlyGateway(t *testing.T) {
	t.Helper()
	requests := s.at.Requests("/v2/")
	if len(requests) == 0 {
		t.Error("the registry was not asked for anything, so its record shows nothing")
	}
	for _, request := range requests {
		if !strings.HasPrefix(request.UserAgent, "vouchsafe") && !strings.Contains(request.Path, "system/pause") {
			t.Errorf("the registry was asked by another than the gateway: %s", request)
		}
	}
}

// checkRefusedAtPull demands that a pod does not run, and that "kubectl describe
// pod" says why.
func (s *site) checkRefusedAtPull(t *testing.T, namespace, name, repository string) {
	t.Helper()
	kubernetes.Await(t, "an event with the reason", func() bool {
		events := cluster.MustDo(t, http.MethodGet, "/api/v1/namespaces/"+namespace+"/events?fieldSelector=involvedObject.name="+name, nil)
		return strings.Contains(string(events.Body), "refused by policy "+policyName)
	}, explain)
	shown := cluster.MustKubectl(t, "--namespace", namespace, "describe", "pod", name).Stdout
	if !strings.Contains(shown, repository) || !strings.Contains(shown, "refused by policy "+policyName) {
		t.Errorf("kubectl describe pod does not say why %s is refused:\n%s", repository, shown)
	}
	if phase := s.state(t, namespace, name).Status.Phase; phase != "Pending" {
		t.Errorf("the pod is %s", phase)
	}
	s.checkEvent(t, namespace, name, repository)
	t.Log(steady(cluster.MustKubectl(t, "--namespace", namespace, "get", "events", "--field-selector=involvedObject.name="+name).Stdout))
}

// push pushes an image of its own and signs it, or not.
func (s *site) push(t *testing.T, repository, tag string, signed bool, args ...string) origin.Image {
	t.Helper()
	image := s.at.Push(t, repository, tag, args...)
	if signed {
		s.key.Sign(t, s.at, image, s.layout)
	}
	return image
}

func deployment(name, image string) object {
	spec := podNamed(image)["spec"].(object)
	delete(spec, "nodeSelector")
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name},
		"spec": object{
			"replicas": 1, "selector": object{"matchLabels": object{"app": name}},
			"template": object{"metadata": object{"labels": object{"app": name}}, "spec": spec},
		},
	}
}

// podsOf returns the names of the pods of a Deployment.
func podsOf(t *testing.T, namespace, name string) []string {
	t.Helper()
	out := cluster.MustKubectl(t, "--namespace", namespace, "get", "pods", "--selector=app="+name, "--output=name")
	return strings.Fields(strings.ReplaceAll(out.Stdout, "pod/", ""))
}

func apply(t *testing.T, namespace string, whole object) {
	t.Helper()
	cluster.MustKubectl(t, "--namespace", namespace, "apply", "-f", file(t, fmt.Sprint(whole["kind"])+".json", whole))
}
