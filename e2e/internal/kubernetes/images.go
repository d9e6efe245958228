package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The namespaces of containerd: the kubelet's, and one of which it knows nothing.
const (
	kubeletsImages = "k8s.io"
	othersImages   = "elsewhere"
)

// ctr runs containerd's own client.
func (c *Cluster) ctr(namespace string, args ...string) error {
	out, err := exec.Command("ctr", append([]string{"--address", c.socket(), "--namespace", namespace}, args...)...).CombinedOutput() //nolint:gosec,noctx // the tests' own arguments; it ends by itself
	if err != nil {
		return fmt.Errorf("ctr %v (Debian: apt-get install containerd): %w\n%s", args, err, out)
	}
	return nil
}

// Import puts the images of an OCI layout in a tar file onto the node, as one
// who has no registry does.
func (c *Cluster) Import(file string) error {
	return c.ctr(kubeletsImages, "images", "import", file)
}

// SideLoad puts an image of a registry on loopback onto the node, under a name and
// by a file, and under a name by digest too if the kubelet is to know its digest.
func (c *Cluster) SideLoad(from, name, digest string) error {
	file := filepath.Join(c.node.folder, "loaded.tar")
	steps := [][]string{
		{"images", "pull", "--plain-http", from},
		{"images", "tag", from, name},
		{"images", "export", file, name},
	}
	for _, args := range steps {
		if err := c.ctr(othersImages, args...); err != nil {
			return err
		}
	}
	defer os.Remove(file) //nolint:errcheck // it goes with the node's folder too
	if err := c.Import(file); err != nil || digest == "" {
		return err
	}
	return c.ctr(kubeletsImages, "images", "tag", name, digest)
}

// Mirror has the node pull the images of a registry from an endpoint, from the
// next pull on.
func (c *Cluster) Mirror(registry, endpoint string) error {
	folder := filepath.Join(c.node.folder, "certs.d", registry)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("server = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint, endpoint)
	return os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(text), 0o600)
}
