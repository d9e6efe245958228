package kubernetes_test

import (
	"net/http"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
)

// TestAWholeNodeInstalledFromDeploy is the story of a cluster, told in order on
// one node.
func TestAWholeNodeInstalledFromDeploy(t *testing.T) {
	s := newSite(t)
	cluster.Namespace(t, "shop", nil)
	for _, chapter := range []struct {
		name string
		tell func(s *site, t *testing.T)
	}{
		{"a Deployment of a signed image runs, pulled through the gateway", (*site).tellDeployment},
		{"an unsigned image is refused at admission", (*site).tellUnsigned},
		{"init containers, ephemeral containers and image volumes", (*site).tellPlaces},
		{"a tag is moved between admission and pull", (*site).tellMoved},
		{"everything starts again while the webhook is down", (*site).tellRestart},
		{"without the webhooks the pull refuses", (*site).tellWithout},
		{"an image that no gateway pulled is verified all the same", (*site).tellNeverPulled},
		{"an older containerd hides the reason and the Event has it", (*site).tellOlder},
	} {
		if !t.Run(chapter.name, func(t *testing.T) { chapter.tell(s, t) }) {
			t.Fatal(explain())
		}
	}
}

func (s *site) tellDeployment(t *testing.T) {
	s.at.Reset()
	apply(t, "shop", deployment("web", nameOf(s.signed)))
	cluster.MustKubectl(t, "--namespace=shop", "rollout", "status", "--timeout=60s", "deployment/web")
	s.checkRuns(t, s.state(t, "shop", podsOf(t, "shop", "web")[0]), s.signed.Digest)
	s.checkOnlyGateway(t)
}

func (s *site) tellUnsigned(t *testing.T) {
	s.at.Reset()
	out := cluster.Kubectl(t, "--namespace=shop", "apply", "-f", file(t, "deployment.json", deployment("bad", nameOf(s.unsigned))))
	if out.Code == 0 || !strings.Contains(out.Stderr, "refused by policy "+policyName) {
		t.Errorf("got exit %d: %s", out.Code, out.All())
	}
	if requests := s.at.Requests(s.unsigned.Blobs[1]); len(requests) > 0 {
		t.Errorf("a layer of a refused image was fetched: %v", requests)
	}
}

func (s *site) tellPlaces(t *testing.T) {
	s.at.Reset()
	first := s.push(t, "acme/first", "1", true, "hello")
	data := s.push(t, "acme/data", "1", true, "pause")
	debug := s.push(t, "acme/debug", "1", true, "pause")
	s.at.Reset()
	main := container("app", nameOf(s.signed))
	main["volumeMounts"] = []object{{"name": "data", "mountPath": "/data"}}
	name := s.start(t, "shop", object{
		"initContainers": []object{container("first", nameOf(first))},
		"containers":     []object{main},
		"volumes":        []object{{"name": "data", "image": object{"reference": nameOf(data)}}},
	})
	found := s.awaitRunning(t, "shop", name)
	if id := found.Status.InitContainerStatuses[0].ImageID; !strings.HasSuffix(id, "@"+first.Digest) {
		t.Errorf("the init container ran %s, want %s", id, first.Digest)
	}
	for _, image := range found.Spec.images() {
		if !strings.HasPrefix(image, pullHost+"/") {
			t.Errorf("the pod has the image %s", image)
		}
	}
	cluster.MustKubectl(t, "--namespace=shop", "debug", name, "--profile=general", "--container=look", "--image="+nameOf(debug))
	kubernetes.Await(t, "the ephemeral container", func() bool {
		list := s.state(t, "shop", name).Status.EphemeralContainerStatuses
		return len(list) == 1 && list[0].State.Running != nil && strings.HasSuffix(list[0].ImageID, "@"+debug.Digest)
	}, explain)
	if out := cluster.Kubectl(t, "--namespace=shop", "debug", name, "--profile=general", "--container=bad", "--image="+nameOf(s.unsigned)); out.Code == 0 {
		t.Error("an unsigned ephemeral container was let in")
	}
	s.checkOnlyGateway(t)
}

// gated is a pod that waits to be scheduled, and so to be pulled.
func gated(image string) object {
	return object{"schedulingGates": []object{{"name": "e2e.test/wait"}}, "containers": []object{container("app", image)}}
}

func (s *site) ungate(t *testing.T, name string) {
	t.Helper()
	cluster.MustDo(t, http.MethodPatch, at(workloads[0], "shop")+"/"+name, map[string]any{"spec": map[string]any{"schedulingGates": nil}})
}

func (s *site) tellMoved(t *testing.T) {
	verified := s.push(t, "acme/moved", "1", true, "pause")
	var pinned, unpinned string
	// Whichever replica is asked finds it out, and from then on pins it.
	kubernetes.Await(t, "a pod with a digest", func() bool {
		name := s.start(t, "shop", gated(nameOf(verified)))
		if strings.HasSuffix(s.state(t, "shop", name).Spec.Containers[0].Image, "@"+verified.Digest) {
			pinned = name
		} else {
			unpinned = name
		}
		return pinned != ""
	}, explain)
	moved := s.push(t, "acme/moved", "1", false, "pause")
	if moved.Digest == verified.Digest {
		t.Fatal("the tag was not moved")
	}
	s.ungate(t, pinned)
	s.checkRuns(t, s.awaitRunning(t, "shop", pinned), verified.Digest)
	if unpinned == "" {
		t.Fatal("the first review knew the image already, so that the second case was not told")
	}
	// Without the digest the node asks for the tag, and what it gets is judged.
	s.ungate(t, unpinned)
	s.checkRefusedAtPull(t, "shop", unpinned, "acme/moved")
}

func (s *site) tellRestart(t *testing.T) {
	cluster.MustKubectl(t, "--namespace=vouchsafe", "scale", "deployment/vouchsafe-webhook", "--replicas=0")
	cluster.MustKubectl(t, "--namespace=vouchsafe", "wait", "--for=delete", "pod", "--selector=app.kubernetes.io/component=webhook", "--timeout=60s")
	check(t, cluster.Reboot())
	cluster.MustKubectl(t, "--namespace=vouchsafe-node", "rollout", "status", "--timeout=90s", "daemonset/vouchsafe-gateway")
	cluster.MustKubectl(t, "--namespace=shop", "rollout", "status", "--timeout=90s", "deployment/web")
	// What is new is pulled by whoever names the gateway, and judged.
	again := s.push(t, "acme/again", "1", true, "pause")
	s.awaitRunning(t, "shop", s.start(t, "shop", object{"containers": []object{container("app", rewritten(again))}}))
	cluster.MustKubectl(t, "--namespace=vouchsafe", "scale", "deployment/vouchsafe-webhook", "--replicas=2")
	s.awaitInstalled(t)
}

func (s *site) tellWithout(t *testing.T) {
	cluster.MustKubectl(t, "delete", "mutatingwebhookconfiguration/vouchsafe", "validatingwebhookconfiguration/vouchsafe")
	kubernetes.Await(t, "the API server to ask nobody", func() bool {
		return create(t, "shop", "Pod", podOf(s.unsigned), dryRun).Status < 300
	}, explain)
	unsigned := s.push(t, "acme/unsigned-again", "1", false, "pause")
	s.at.Reset()
	name := s.start(t, "shop", object{"containers": []object{container("app", rewritten(unsigned))}})
	s.checkRefusedAtPull(t, "shop", name, unsigned.Repository)
	signed := s.push(t, "acme/signed-again", "1", true, "pause")
	name = s.start(t, "shop", object{"containers": []object{container("app", rewritten(signed))}})
	s.checkRuns(t, s.awaitRunning(t, "shop", name), signed.Digest)
	for _, blob := range unsigned.Blobs {
		if requests := s.at.Requests(blob); len(requests) > 0 {
			t.Errorf("content of a refused image was fetched: %v", requests)
		}
	}
	s.checkRights(t)
	if s.metric(t, `vouchsafe_pod_events_total{outcome="written"}`) == 0 {
		t.Error("no Event was counted")
	}
}
