package clients_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// imageDocuments writes documents where the image's user, who is not root, can
// read them.
func imageDocuments(t *testing.T, at *origin.Registry, key *cosign.Key) string {
	t.Helper()
	folder := t.TempDir()
	check(t, os.Chmod(folder, 0o755))
	for name, text := range map[string]string{
		"registry.yaml":    gateway.Registry("docker.io", at.Host),
		"integration.yaml": gateway.Integration("release-team", key.PEM(t)),
		"policy.yaml":      gateway.Policy(policyName, "InformAndEnforce", `"docker.io/acme/**"`, []string{"release-team"}),
	} {
		check(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
	return folder
}

func TestTheImageServesUnderPodman(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("Podman without root needs user namespaces that not every machine gives")
	}
	at := origin.Distribution(t, nil)
	key := cosign.NewKey(t, signer())
	signed, unsigned := at.Push(t, "acme/signed", "1"), at.Push(t, "acme/unsigned", "1")
	key.Sign(t, at, signed, signer())
	p := newPodman(t)
	policy := filepath.Join(p.folder, "policy.json")
	out := tool.MustRun(t, p.env, "podman", p.args("pull", "--quiet", "--signature-policy", policy, "oci:"+os.Getenv(layoutFolder))...)
	image := strings.TrimSpace(out.Stdout)

	t.Run("vouchsafe version prints", func(t *testing.T) {
		out := tool.MustRun(t, p.env, "podman", p.run("--network=none", image, "version")...)
		if !strings.HasPrefix(out.Stdout, "vouchsafe ") {
			t.Errorf("got %q", out.Stdout)
		}
	})
	t.Run("there is no shell", func(t *testing.T) {
		out := tool.Run(t, p.env, "podman", p.run("--network=none", "--entrypoint=/bin/sh", image)...)
		if out.Code != 127 {
			t.Errorf("/bin/sh in the image: exit %d, want 127, not found", out.Code)
		}
	})
	t.Run("it pulls with its root read-only and without capabilities", func(t *testing.T) {
		c := p.serve(t, image, imageDocuments(t, at, key))
		if got := c.user(t); got != "65532" {
			t.Errorf("the program runs as user %s, want 65532", got)
		}
		if out := tool.Run(t, nil, tool.Path("crane"), "pull", "--format", "oci", c.host+"/docker.io/acme/signed:1", t.TempDir()); out.Code != 0 {
			t.Errorf("the signed image is not pulled: exit %d", out.Code)
		}
		out := tool.Run(t, nil, tool.Path("crane"), "pull", "--format", "oci", c.host+"/docker.io/acme/unsigned:1", t.TempDir())
		if want := "docker.io/acme/unsigned@" + unsigned.Digest + ": refused by policy " + policyName; out.Code == 0 || !strings.Contains(out.Stderr, want) {
			t.Errorf("the unsigned image: exit %d, want one that shows %q", out.Code, want)
		}
		if code := c.stop(t); code != 0 {
			t.Errorf("after SIGTERM: exit %d, want 0", code)
		}
	})
}

// run is a "podman run" with its root read-only. Its limits are low, since root of
// a container may not raise them to what Podman would set.
func (p *podman) run(args ...string) []string {
	return p.args(append([]string{"run", "--rm", "--ulimit=nofile=1024:1024", "--ulimit=nproc=512:512", "--read-only", "--read-only-tmpfs=false"}, args...)...)
}

// container is a running container of the image.
type container struct {
	host, ops string
	podman    *podman
	cmd       *exec.Cmd
	ended     chan struct{}
}

// serve runs the image as it is meant to be run. On the test's network, which
// has no way out.
func (p *podman) serve(t *testing.T, image, documents string) *container {
	t.Helper()
	c := &container{host: freeAddress(t), ops: freeAddress(t), podman: p, ended: make(chan struct{})}
	c.cmd = exec.Command("podman", p.run("--name=vouchsafe", "--network=host",
		"--cap-drop=all", "--security-opt=no-new-privileges", "--volume="+documents+":/etc/vouchsafe:ro",
		"--env=VOUCHSAFE_LISTEN="+c.host, "--env=VOUCHSAFE_OPS_LISTEN="+c.ops, image)...)
	c.cmd.Env = append(tool.Environment(t.TempDir()), p.env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said strings.Builder
	c.cmd.Stdout, c.cmd.Stderr = &said, &said
	check(t, c.cmd.Start())
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		// Not for the test's context, which is at its end.
		remove := exec.Command("podman", p.args("rm", "--force", "--ignore", "--time=1", "vouchsafe")...)
		remove.Env = c.cmd.Env
		if out, err := remove.CombinedOutput(); err != nil {
			t.Errorf("remove the container: %v: %s", err, out)
		}
		<-c.ended
		if t.Failed() {
			t.Logf("the container said:\n%s", said.String())
		}
	})
	c.awaitReady(t)
	return c
}

func (c *container) awaitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if answer, err := http.Get("http://" + c.ops + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal("the container is not ready in time")
		case <-c.ended:
			t.Fatalf("the container ended: %v", c.cmd.ProcessState)
		case <-tick.C:
		}
	}
}

// user is the id of the user that the program runs as, as the kernel says.
func (c *container) user(t *testing.T) string {
	t.Helper()
	out := tool.MustRun(t, c.podman.env, "podman", c.podman.args("inspect", "--format={{.State.Pid}}", "vouchsafe")...)
	status, err := os.ReadFile("/proc/" + strings.TrimSpace(out.Stdout) + "/status")
	check(t, err)
	_, after, _ := strings.Cut(string(status), "\nUid:")
	return strings.Fields(after)[0]
}

// stop asks the program to end, as an orchestrator does, and returns the exit
// code.
func (c *container) stop(t *testing.T) int {
	t.Helper()
	tool.MustRun(t, c.podman.env, "podman", c.podman.args("kill", "--signal=TERM", "vouchsafe")...)
	select {
	case <-c.ended:
	case <-time.After(gateway.Patience):
		t.Fatalf("the container does not end within %s of SIGTERM", gateway.Patience)
	}
	return c.cmd.ProcessState.ExitCode()
}

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestTheImageIsPulledByContainerd(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	w := newWorld(t)
	policy := filepath.Join(t.TempDir(), "policy.json")
	check(t, os.WriteFile(policy, []byte(skopeoPolicy), 0o600))
	for name, bin := range map[string]string{"containerd-1.6": "", "containerd-2": os.Getenv(containerd2Folder)} {
		t.Run(name, func(t *testing.T) {
			node := newNode(t, w, bin)
			reference := w.at.Host + "/tools/" + name + ":1"
			tool.MustRun(t, nil, "skopeo", "--policy", policy, "copy", "--quiet", "--all", "--dest-tls-verify=false",
				"oci:"+os.Getenv(layoutFolder), "docker://"+reference)
			if _, out := node.Pull(t, reference); out.Code != 0 {
				t.Fatal(out.Stderr)
			}
			if !node.Has(t, reference) {
				t.Errorf("%s is not on the node", reference)
			}
			checkBlobs(t, filepath.Join(node.content(t), "blobs"), pushedImage(t, reference), true)
		})
	}
}

// pushedImage is what a node of this machine's kind stores of an index.
func pushedImage(t *testing.T, name string) origin.Image {
	t.Helper()
	image, err := remote.Image(reference(t, name), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	check(t, err)
	manifest, err := image.Manifest()
	check(t, err)
	pushed := origin.Image{Repository: name, Blobs: []string{manifest.Config.Digest.String()}}
	for _, layer := range manifest.Layers {
		pushed.Blobs = append(pushed.Blobs, layer.Digest.String())
	}
	return pushed
}
