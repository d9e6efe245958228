package node

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Pull pulls an image, as the kubelet does for a pod. The error is what the
// pod's event shows.
func (c *Containerd) Pull(tb testing.TB, reference string) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	_, err := c.images.PullImage(ctx, &runtime.PullImageRequest{Image: &runtime.ImageSpec{Image: reference}})
	return err
}

// Has reports whether the node holds an image of that name.
func (c *Containerd) Has(tb testing.TB, reference string) bool {
	tb.Helper()
	status, err := c.images.ImageStatus(tb.Context(), &runtime.ImageStatusRequest{Image: &runtime.ImageSpec{Image: reference}})
	if err != nil {
		tb.Fatalf("ask for the state of %s: %v", reference, err)
	}
	return status.GetImage() != nil
}

// Run runs a container of an image that is on the node, in a pod on the node's
// network, to its end, and returns what it printed and its exit code.
func (c *Containerd) Run(tb testing.TB, reference string) (output string, code int32) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	namespaces := &runtime.NamespaceOption{Network: runtime.NamespaceMode_NODE}
	id := rand.Text()
	pod := &runtime.PodSandboxConfig{
		Metadata:     &runtime.PodSandboxMetadata{Name: "e2e", Namespace: "default", Uid: id},
		LogDirectory: filepath.Join(c.folder, "pods", id),
		Linux:        &runtime.LinuxPodSandboxConfig{SecurityContext: &runtime.LinuxSandboxSecurityContext{NamespaceOptions: namespaces}},
	}
	if err := os.MkdirAll(pod.LogDirectory, 0o700); err != nil {
		tb.Fatal(err)
	}
	sandbox, err := c.runtime.RunPodSandbox(ctx, &runtime.RunPodSandboxRequest{Config: pod})
	if err != nil {
		tb.Fatalf("run a pod: %v", err)
	}
	defer c.remove(tb, sandbox.GetPodSandboxId())
	created, err := c.runtime.CreateContainer(ctx, &runtime.CreateContainerRequest{
		PodSandboxId:  sandbox.GetPodSandboxId(),
		SandboxConfig: pod,
		Config: &runtime.ContainerConfig{
			Metadata: &runtime.ContainerMetadata{Name: "e2e"},
			Image:    &runtime.ImageSpec{Image: reference},
			LogPath:  "log",
			Linux:    &runtime.LinuxContainerConfig{SecurityContext: &runtime.LinuxContainerSecurityContext{NamespaceOptions: namespaces}},
		},
	})
	if err != nil {
		tb.Fatalf("create a container: %v", err)
	}
	if _, err := c.runtime.StartContainer(ctx, &runtime.StartContainerRequest{ContainerId: created.GetContainerId()}); err != nil {
		tb.Fatalf("start a container: %v", err)
	}
	code = c.awaitExit(ctx, tb, created.GetContainerId())
	log, err := os.ReadFile(filepath.Join(pod.LogDirectory, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(log), code
}

func (c *Containerd) awaitExit(ctx context.Context, tb testing.TB, container string) int32 {
	tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := c.runtime.ContainerStatus(ctx, &runtime.ContainerStatusRequest{ContainerId: container})
		if err != nil {
			tb.Fatalf("ask for the state of a container: %v", err)
		}
		if status.GetStatus().GetState() == runtime.ContainerState_CONTAINER_EXITED {
			return status.GetStatus().GetExitCode()
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("the container did not end within %s", patience)
		case <-tick.C:
		}
	}
}

// remove takes a pod away, with its containers, so that no process and no mount
// of it outlives the test.
func (c *Containerd) remove(tb testing.TB, sandbox string) {
	tb.Helper()
	// The test's own context may be at its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
	defer cancel()
	if _, err := c.runtime.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		tb.Errorf("stop a pod: %v", err)
	}
	if _, err := c.runtime.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: sandbox}); err != nil {
		tb.Errorf("remove a pod: %v", err)
	}
}
