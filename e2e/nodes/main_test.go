package nodes_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// containerd2Folder names the folder of containerd 2 in the environment.
const containerd2Folder = "VOUCHSAFE_E2E_CONTAINERD2"

// TestMain builds the programs where the network is, and runs the tests where
// it is not, on mounts of their own.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/nodes:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if sandbox.Inside() {
		if err := errors.Join(sandbox.LoopbackUp(), sandbox.MountsPrivate()); err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "e2e/nodes: not root: containerd and Podman on their own places for files need mounts; skipped")
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "vouchsafe-nodes-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return 0, err
	}
	return sandbox.RerunWithMounts()
}

// build builds all that the tests run. The builders work in the module's folder.
func build(dir string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(".."); err != nil {
		return err
	}
	if !tool.Built() {
		if err := tool.Build(dir); err != nil {
			return err
		}
	}
	cmd := exec.Command("./tools.sh", "containerd2")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("find the pinned containerd: %w", err)
	}
	return errors.Join(
		os.Setenv(containerd2Folder, filepath.Dir(strings.TrimSpace(string(out)))),
		os.Chdir(here),
	)
}
