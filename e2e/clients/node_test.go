package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/node"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// hostsClosed is the hosts.toml of docs/nodes.md, with the gateway for %[1]s.
const hostsClosed = `server = "http://%[1]s"

[host."http://%[1]s"]
  capabilities = ["pull", "resolve"]
`

// kubelet pulls as the kubelet does, through containerd's CRI.
type kubelet struct {
	*node.Containerd
	program, folder string
}

// newNode starts a containerd, that of the folder bin or the system's. The
// daemon finds its shim, and its place for files, in the environment.
func newNode(t *testing.T, w *world, bin string) *kubelet {
	t.Helper()
	folder := shortFolder(t)
	for name, value := range map[string]string{"TMPDIR": folder, "PATH": bin + string(os.PathListSeparator) + os.Getenv("PATH")} {
		before := os.Getenv(name)
		check(t, os.Setenv(name, strings.TrimPrefix(value, string(os.PathListSeparator))))
		defer os.Setenv(name, before)
	}
	program, err := exec.LookPath("containerd")
	check(t, err)
	k := &kubelet{node.Start(t, w.g.Host+"/docker.io/"+w.pause.Repository+":1"), program, folder}
	k.Hosts(t, "docker.io", fmt.Sprintf(hostsClosed, w.g.Host))
	return k
}

// shortFolder is a folder of the test whose path leaves room for the names of
// sockets, and for Podman, which takes at most 50 characters.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "vc-")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(folder)) })
	return folder
}

func (k *kubelet) Version(t *testing.T) string {
	t.Helper()
	// The last word is the commit, which only some builds know.
	words := strings.Fields(tool.MustRun(t, nil, k.program, "--version").Stdout)
	return strings.Join(words[:3], " ")
}

func (k *kubelet) Pull(t *testing.T, reference string) (string, tool.Output) {
	t.Helper()
	command := "PullImage " + reference
	if err := k.Containerd.Pull(t, reference); err != nil {
		return command, tool.Output{Stderr: err.Error(), Code: 1}
	}
	return command, tool.Output{}
}

func (k *kubelet) Folders() []string { return []string{k.folder} }

func (k *kubelet) Check(t *testing.T, reference string, image origin.Image, arrived bool) {
	t.Helper()
	if has := k.Has(t, reference); has != arrived {
		t.Errorf("%s on the node: got %t, want %t", reference, has, arrived)
	}
	checkBlobs(t, filepath.Join(k.content(t), "blobs"), image, arrived)
	if !arrived {
		return
	}
	if output, code := k.Run(t, reference); code != 0 || !strings.Contains(output, "hello from "+image.Salt) {
		t.Errorf("a container of %s: exit %d, printed %q", reference, code, output)
	}
}

// content is the folder in which this containerd keeps what it pulled.
func (k *kubelet) content(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(k.folder, "vouchsafe-node-*/root/io.containerd.content.v1.content"))
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("containerd's store is in %q", found)
	}
	return found[0]
}
