package kubernetes

import (
	"fmt"
	"os/exec"
)

// olderConfig is [containerdConfig] as containerd 1.6 has it.
const olderConfig = `version = 2
root = "%[1]s/older-root"
state = "%[1]s/older-state"

[grpc]
  address = "%[1]s/containerd.sock"

[ttrpc]
  address = "%[1]s/containerd.sock.ttrpc"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[2]s"
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "%[1]s/certs.d"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "%[3]s"
  conf_dir = "%[1]s/cni"
`

// Older puts the machine's own containerd, which has no image yet, in place of
// containerd 2, and returns its version. No pod may be on the node.
func (c *Cluster) Older() (string, error) {
	version, err := exec.Command("containerd", "--version").Output() //nolint:noctx // it ends at once
	if err != nil {
		return "", fmt.Errorf("containerd (Debian: apt-get install containerd): %w", err)
	}
	kept := c.processes[:0]
	for _, p := range c.processes {
		if p.name != "kubelet" && p.name != "containerd" {
			kept = append(kept, p)
			continue
		}
		p.stop()
	}
	c.processes = kept
	if err := killContainers(); err != nil {
		return "", err
	}
	c.node.older = true
	if err := c.node.write(); err != nil {
		return "", err
	}
	return string(version), c.startNode()
}
