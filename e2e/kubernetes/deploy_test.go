package kubernetes_test

import (
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/kubernetes"
)

const deploy = "../../deploy"

// TestEverythingInDeployIsAccepted has the API server check what nothing else
// here installs, Pod Security included.
func TestEverythingInDeployIsAccepted(t *testing.T) {
	for _, half := range []string{"webhook", "gateway"} {
		cluster.MustKubectl(t, "apply", "-f", filepath.Join(deploy, half, "namespace.yaml"))
	}
	folders, err := filepath.Glob(deploy + "/overlays/*")
	check(t, err)
	if len(folders) == 0 {
		t.Error("there are no overlays")
	}
	for _, folder := range append(folders, deploy+"/base") {
		out := cluster.Kubectl(t, "apply", "--dry-run=server", "-k", folder)
		if out.Code != 0 || strings.Contains(out.Stderr, "PodSecurity") {
			t.Errorf("%s: exit %d\n%s", folder, out.Code, out.Stderr)
		}
	}
}

func TestTheGatewayOnNodesIsRestrictedButForItsHostPort(t *testing.T) {
	const in = "restricted"
	cluster.Namespace(t, in, map[string]string{"pod-security.kubernetes.io/warn": "restricted"})
	rendered := cluster.MustKubectl(t, "kustomize", deploy+"/gateway").Stdout
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if !strings.Contains("\n"+document, "\nkind: DaemonSet\n") {
			continue
		}
		document = strings.ReplaceAll(document, "namespace: vouchsafe-node", "namespace: "+in)
		out := cluster.MustKubectl(t, "apply", "--dry-run=server", "-f", kubernetes.File(t, "daemonset.yaml", document))
		_, violated, _ := strings.Cut(out.Stderr, "would violate PodSecurity")
		if !strings.Contains(violated, "hostPort") || strings.Count(violated, "(") != 1 {
			t.Errorf("the DaemonSet violates more, or other, than its host port: %q", out.Stderr)
		}
		return
	}
	t.Error("there is no DaemonSet in deploy/gateway")
}
