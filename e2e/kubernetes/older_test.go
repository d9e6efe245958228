package kubernetes_test

import (
	"net/http"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/tool"
)

// away is a label that no node has.
const away = "e2e.test/away"

// setAway takes the gateway from the node, or puts it there again.
func setAway(t *testing.T, value any) {
	t.Helper()
	cluster.MustDo(t, http.MethodPatch, "/apis/apps/v1/namespaces/"+gatewaysOf+"/daemonsets/vouchsafe-gateway", map[string]any{
		"spec": object{"template": object{"spec": object{"nodeSelector": object{away: value}}}},
	})
}

// tellOlder is told without webhooks.
func (s *site) tellOlder(t *testing.T) {
	for _, of := range []string{"shop", ours} {
		cluster.MustKubectl(t, "--namespace", of, "delete", "deployments,replicasets,pods", "--all", "--wait=false", "--grace-period=1")
	}
	setAway(t, "yes")
	kubernetes.Await(t, "the node to be empty", func() bool {
		var list struct{ Items []struct{} }
		cluster.MustDo(t, http.MethodGet, "/api/v1/pods?fieldSelector=spec.nodeName="+kubernetes.NodeName, nil).Object(t, &list)
		return len(list.Items) == 0
	}, explain)
	version, err := cluster.Older()
	check(t, err)
	t.Log(version)
	if strings.Contains(version, " 2.") || strings.Contains(version, " v2.") {
		t.Skip("the machine's containerd is no older one: " + version)
	}
	check(t, cluster.Import(tarOf(t, tool.Path("image"), productImage)))
	setAway(t, nil)
	cluster.MustKubectl(t, "--namespace", gatewaysOf, "rollout", "status", "--timeout=90s", "daemonset/vouchsafe-gateway")

	unsigned := s.push(t, "acme/unsigned-older", "1", false, "pause")
	name := s.start(t, "shop", object{"containers": []object{container("app", rewritten(unsigned))}})
	s.checkEvent(t, "shop", name, unsigned.Repository)
	statuses := s.state(t, "shop", name).Status.ContainerStatuses
	if len(statuses) != 1 || statuses[0].State.Waiting == nil || strings.Contains(statuses[0].State.Waiting.Message, policyName) {
		t.Errorf("the containers are %+v, so that the Event is not the only place with the reason", statuses)
	}
	events := cluster.MustKubectl(t, "--namespace=shop", "get", "events", "--field-selector=involvedObject.name="+name).Stdout
	t.Log(steady(events))
	signed := s.push(t, "acme/signed-older", "1", true, "pause")
	name = s.start(t, "shop", object{"containers": []object{container("app", rewritten(signed))}})
	s.checkRuns(t, s.awaitRunning(t, "shop", name), signed.Digest)
}
