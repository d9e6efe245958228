// Package node runs containerd as a node of a cluster does, on folders and a
// socket of its own, and speaks to it as the kubelet does.
package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// patience is how long anything may take that is waited for.
const patience = 30 * time.Second

// config is containerd's; %[1]s is its folder, %[2]s the image of each pod's
// first process.
const config = `version = 2
root = "%[1]s/root"
state = "%[1]s/state"

[grpc]
  address = "%[1]s/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[2]s"
  # As in a container, where the score may not be lowered.
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "%[1]s/certs.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

// Containerd is a running containerd.
type Containerd struct {
	folder  string
	cmd     *exec.Cmd
	ended   chan struct{}
	conn    *grpc.ClientConn
	images  runtime.ImageServiceClient
	runtime runtime.RuntimeServiceClient
}

// Start starts containerd. Pods begin with the image sandbox, a reference that
// the node pulls when it first needs it. The end of the test ends containerd and
// everything that it started.
func Start(tb testing.TB, sandbox string) *Containerd {
	tb.Helper()
	c := &Containerd{folder: folder(tb), ended: make(chan struct{})}
	file := filepath.Join(c.folder, "config.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, c.folder, sandbox), 0o600); err != nil {
		tb.Fatal(err)
	}
	c.start(tb, exec.Command("containerd", "--config", file)) //nolint:gosec,noctx // the cleanup ends it
	return c
}

// StartWith is [Start] on a configuration that is there already, such as the
// machine's own, which says nothing of where containerd's folders are. bin is the
// folder of the program, empty for the system's, and env are further "NAME=value"
// lines.
func StartWith(tb testing.TB, bin, file string, env ...string) *Containerd {
	tb.Helper()
	c := &Containerd{folder: folder(tb), ended: make(chan struct{})}
	program := "containerd"
	if bin != "" {
		program = filepath.Join(bin, program)
	}
	cmd := exec.Command(program, "--config", file, //nolint:gosec,noctx // the cleanup ends it
		"--root", c.folder+"/root", "--state", c.folder+"/state", "--address", c.folder+"/containerd.sock")
	// The daemon finds its shim, and its place for files, in the environment.
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "TMPDIR="+c.folder)
	cmd.Env = append(cmd.Env, env...)
	c.start(tb, cmd)
	return c
}

// start starts the daemon and waits until it answers.
func (c *Containerd) start(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	log, err := os.Create(filepath.Join(c.folder, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	c.cmd = cmd
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := c.cmd.Start(); err != nil {
		tb.Fatalf("start containerd (Debian: apt-get install containerd runc): %v", err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	tb.Cleanup(func() { c.stop(tb) })
	c.conn, err = grpc.NewClient("unix://"+c.folder+"/containerd.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	c.images, c.runtime = runtime.NewImageServiceClient(c.conn), runtime.NewRuntimeServiceClient(c.conn)
	c.awaitReady(tb)
}

// folder makes a folder with a path that is short enough for sockets, and
// removes it with every mount under it.
func folder(tb testing.TB) string {
	tb.Helper()
	folder, err := os.MkdirTemp("", "vouchsafe-node-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		unmount(tb, folder)
		if err := os.RemoveAll(folder); err != nil {
			tb.Errorf("remove the node's folder: %v", err)
		}
	})
	return folder
}

// Hosts writes the hosts.toml of a registry, in force from the next pull on.
func (c *Containerd) Hosts(tb testing.TB, registry, toml string) {
	tb.Helper()
	folder := filepath.Join(c.folder, "certs.d", registry)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(toml), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// awaitReady waits until containerd's CRI answers.
func (c *Containerd) awaitReady(tb testing.TB) {
	tb.Helper()
	_, err := c.runtime.Version(tb.Context(), &runtime.VersionRequest{}, grpc.WaitForReady(true))
	if err != nil {
		tb.Fatalf("containerd does not answer: %v\n%s", err, c.log())
	}
}

func (c *Containerd) log() string {
	log, err := os.ReadFile(filepath.Join(c.folder, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// stop ends containerd and demands that it does.
func (c *Containerd) stop(tb testing.TB) {
	if tb.Failed() {
		tb.Logf("containerd's log:\n%s", c.log())
	}
	if c.conn != nil {
		_ = c.conn.Close()
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		<-c.ended
		tb.Errorf("containerd did not end within %s of SIGTERM", patience)
	}
}

// unmount takes away every mount under folder, the innermost first.
func unmount(tb testing.TB, folder string) {
	tb.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		tb.Error(err)
		return
	}
	var points []string
	for line := range strings.Lines(string(mounts)) {
		if point := strings.Fields(line)[1]; strings.HasPrefix(point, folder+"/") {
			points = append(points, point)
		}
	}
	slices.Sort(points)
	for _, point := range slices.Backward(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			tb.Errorf("unmount %s: %v", point, err)
		}
	}
}
