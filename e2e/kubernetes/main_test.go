package kubernetes_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/tool"
)

// built is the time that the image says it was built.
var built = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// cluster is the one of all tests.
var cluster *kubernetes.Cluster

// TestMain builds the programs where the module proxy is, and runs the tests
// where nothing but the cluster is.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/kubernetes:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if kubernetes.Inside() {
		return inside(m)
	}
	if why := missing(); why != "" {
		fmt.Fprintln(os.Stderr, "e2e/kubernetes: SKIPPED, all of it:", why)
		return 0, nil
	}
	folder, err := os.MkdirTemp("", "vc-k8s-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	if !tool.Built() {
		if err := build(folder); err != nil {
			return 0, err
		}
	}
	// Everything of the inner process is below, and goes with it.
	if err := os.Setenv("TMPDIR", folder); err != nil {
		return 0, err
	}
	return kubernetes.Rerun()
}

// missing says what this machine lacks that the tests need; nothing, as a rule.
func missing() string {
	if os.Geteuid() != 0 {
		return "not root: a node needs namespaces and control groups of its own"
	}
	return ""
}

// inside runs the tests in the namespaces, on one control plane.
func inside(m *testing.M) (code int, err error) {
	if err := kubernetes.Enter(); err != nil {
		return 0, err
	}
	// What is done at the same time waits for the cluster, not for this process.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "c-")
	if err != nil {
		return 0, err
	}
	cluster, err = kubernetes.Start(folder)
	defer func() {
		if code != 0 || err != nil {
			fmt.Fprint(os.Stderr, cluster.Logs())
		}
		cluster.Stop()
	}()
	if err != nil {
		return 0, err
	}
	code = m.Run()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "node"} {
		if took, started := cluster.Took[name]; started {
			fmt.Fprintf(os.Stderr, "e2e/kubernetes: %s was ready after %.1f s\n", name, took.Seconds())
		}
	}
	return code, nil
}

// build puts the programs, and the product's image, into the folder that
// [tool.Path] looks into. The builders work in the module's folder.
func build(folder string) error {
	for name, build := range map[string][]string{
		"vouchsafe": {"-C", "../..", "build", "-o", filepath.Join(folder, "vouchsafe"), "./cmd/vouchsafe"},
		"payload":   {"-C", "..", "build", "-o", filepath.Join(folder, "payload"), "./internal/payload"},
		"image":     {"-C", "..", "run", "./image", "-o", filepath.Join(folder, "image"), "-platforms", "linux/" + runtime.GOARCH},
	} {
		cmd := exec.Command("go", build...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", built.Unix()))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	tools := []string{"cosign2", "cosign3", "containerd2", "kubernetes"}
	cmd := exec.Command("../tools.sh", tools...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("build the programs of Kubernetes, containerd and cosign, for which a module proxy is needed once: %w", err)
	}
	paths := strings.Fields(string(out))
	if len(paths) != len(tools) {
		return fmt.Errorf("tools.sh answered %q to %q", out, tools)
	}
	paths[2] = filepath.Dir(paths[2]) // containerd needs the shim beside it
	var failed []error
	for i, name := range tools {
		failed = append(failed, os.Symlink(paths[i], filepath.Join(folder, name)))
	}
	return errors.Join(append(failed, os.Setenv("VOUCHSAFE_E2E_BIN", folder))...)
}
