package kubernetes

import (
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"vouchsafe/e2e/internal/tool"
)

// NodeName is the name of the node.
const NodeName = "node1"

// containerdConfig is the configuration of containerd 2; %[1]s is its folder,
// %[2]s the image of each pod's first process, %[3]s the folder of network plugins.
const containerdConfig = `version = 3
root = "%[1]s/root"
state = "%[1]s/state"

[grpc]
  address = "%[1]s/containerd.sock"

[ttrpc]
  address = "%[1]s/containerd.sock.ttrpc"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "%[2]s"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "%[1]s/certs.d"

[plugins.'io.containerd.transfer.v1.local']
  config_path = "%[1]s/certs.d"

[plugins.'io.containerd.cri.v1.runtime']
  # As in a container, where the score may not be lowered.
  restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["%[3]s"]
  conf_dir = "%[1]s/cni"

[plugins.'io.containerd.nri.v1.nri']
  disable = true
`

// network is a bridge for pods, and ports of the node that lead to them.
const network = `{"cniVersion": "1.0.0", "name": "e2e", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/e2e-cni", "ranges": [[{"subnet": "` + podCIDR + `"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`

// kubeletConfig is the kubelet's; %[1]s is containerd's socket, %[2]s the control
// group, %[3]s the authority's certificate, %[4]s and %[5]s the node's certificate
// and key, %[6]s the folder of pods' logs.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /%[2]s
failSwapOn: false
containerRuntimeEndpoint: unix://%[1]s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[3]q}}
authorization: {mode: Webhook}
tlsCertFile: %[4]q
tlsPrivateKeyFile: %[5]q
address: 0.0.0.0
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
podLogsDir: %[6]q
# The machine may be nearly full, and of any file system.
localStorageCapacityIsolation: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {imagefs.available: "0%%", nodefs.available: "0%%", nodefs.inodesFree: "0%%", memory.available: "50Mi"}
serializeImagePulls: false
enforceNodeAllocatable: []
staticPodPath: ""
`

// node is the node's own part of a cluster.
type node struct {
	folder, pause string
	user          user
	// older is set when containerd is the machine's.
	older bool
}

// AddNode starts the scheduler and a node, and returns when the node is ready.
// pause is the image of each pod's first process, by a name that the node can
// pull without anybody's help.
func (c *Cluster) AddNode(pause string) error {
	begun := time.Now()
	defer func() { c.Took["node"] = time.Since(begun) }()
	folder, err := os.MkdirTemp("", "vc-node-") // short, for the names of sockets
	if err != nil {
		return err
	}
	u, err := c.user(NodeName, pkix.Name{CommonName: "system:node:" + NodeName, Organization: []string{"system:nodes"}}, NodeName, NodeIP, "127.0.0.1")
	if err != nil {
		return err
	}
	c.node = &node{folder: folder, pause: pause, user: u}
	if err := c.node.write(); err != nil {
		return err
	}
	if err := c.startScheduler(); err != nil {
		return err
	}
	return c.startNode()
}

// write writes the configuration of containerd and of pods' network.
func (n *node) write() error {
	for _, folder := range []string{"cni", "certs.d"} {
		if err := os.MkdirAll(filepath.Join(n.folder, folder), 0o700); err != nil {
			return err
		}
	}
	text := containerdConfig
	if n.older {
		text = olderConfig
	}
	config := fmt.Appendf(nil, text, n.folder, n.pause, pluginFolder())
	return errors.Join(
		os.WriteFile(filepath.Join(n.folder, "containerd.toml"), config, 0o600),
		os.WriteFile(filepath.Join(n.folder, "cni", "10-e2e.conflist"), []byte(network), 0o600),
	)
}

// pluginFolder is where the network plugins are: Debian's place, else upstream's.
func pluginFolder() string {
	if _, err := os.Stat("/usr/lib/cni/bridge"); err == nil {
		return "/usr/lib/cni"
	}
	return "/opt/cni/bin"
}

func (c *Cluster) startScheduler() error {
	u, err := c.user("scheduler", pkix.Name{CommonName: "system:kube-scheduler"})
	if err != nil {
		return err
	}
	_, err = c.start("kube-scheduler", nil, program("kube-scheduler"), "--kubeconfig="+u.config, "--leader-elect=false", "--bind-address=127.0.0.1")
	return err
}

// startNode starts containerd and the kubelet.
func (c *Cluster) startNode() error {
	if err := c.startContainerd(); err != nil {
		return err
	}
	return c.startKubelet()
}

// socket is containerd's.
func (c *Cluster) socket() string { return filepath.Join(c.node.folder, "containerd.sock") }

func (c *Cluster) startContainerd() error {
	bin := tool.Path("containerd2")
	// The daemon finds its shim by PATH.
	path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
	daemon := filepath.Join(bin, "containerd")
	if c.node.older {
		daemon, path = "containerd", "PATH="+os.Getenv("PATH")
	}
	p, err := c.start("containerd", []string{path}, daemon, "--config", filepath.Join(c.node.folder, "containerd.toml"))
	if err != nil {
		return err
	}
	return p.await("its socket", func() bool {
		conn, err := net.Dial("unix", c.socket()) //nolint:noctx // a local socket answers at once
		return err == nil && conn.Close() == nil
	})
}

func (c *Cluster) startKubelet() error {
	group, err := makeGroups()
	if err != nil {
		return err
	}
	root := filepath.Join(c.node.folder, "kubelet")
	logs := filepath.Join(c.node.folder, "pods")
	if err := errors.Join(os.MkdirAll(root, 0o700), os.MkdirAll(logs, 0o700)); err != nil {
		return err
	}
	config := filepath.Join(c.node.folder, "kubelet.yaml")
	text := fmt.Appendf(nil, kubeletConfig, c.socket(), group, c.ca.ca(), c.node.user.cert, c.node.user.key, logs)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	before := c.heartbeat()
	p, err := c.start("kubelet", nil, program("kubelet"), "--config="+config, "--kubeconfig="+c.node.user.config,
		"--root-dir="+root, "--cert-dir="+filepath.Join(root, "pki"), "--hostname-override="+NodeName, "--node-ip="+NodeIP)
	if err != nil {
		return err
	}
	// A restarted kubelet is ready when it says so anew.
	return p.await("the node to be ready", func() bool { return c.ready() && c.heartbeat() != before })
}

// ready reports whether the node says that it is ready.
func (c *Cluster) ready() bool {
	var state struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if !c.get("/api/v1/nodes/"+NodeName, &state) {
		return false
	}
	for _, condition := range state.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// heartbeat is the version of the node's lease, which the kubelet renews.
func (c *Cluster) heartbeat() string {
	var lease struct {
		Metadata struct{ ResourceVersion string }
	}
	c.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"+NodeName, &lease)
	return lease.Metadata.ResourceVersion
}

// get decodes what is at a path of the API, if it is there.
func (c *Cluster) get(path string, into any) bool {
	response, err := c.client.Get(apiURL + path) //nolint:noctx // the client has a limit
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(into) == nil
}
