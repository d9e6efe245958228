package clients_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// Environment variables that hand over from the process that has the network to
// the one that has not: the folder of containerd 2, and the OCI layout of the
// product's image for this machine.
const (
	containerd2Folder = "VOUCHSAFE_E2E_CONTAINERD2"
	layoutFolder      = "VOUCHSAFE_E2E_LAYOUT"
)

// built is the time that the image says it was built.
var built = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestMain builds the programs where the network is, and runs the tests where
// it is not.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/clients:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if sandbox.Inside() {
		if err := sandbox.LoopbackUp(); err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "vouchsafe-clients-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return 0, err
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "e2e/clients: not root: no network namespace of our own, and the tests of Podman and containerd are skipped")
		return m.Run(), nil
	}
	return sandbox.Rerun()
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
	layout := filepath.Join(dir, "layout")
	cmd := exec.Command("go", "run", "./image", "-o", layout, "-platforms", "linux/"+runtime.GOARCH)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", built.Unix()))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the image: %w\n%s", err, out)
	}
	cmd = exec.Command("./tools.sh", "containerd2")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("find the pinned containerd: %w", err)
	}
	return errors.Join(
		os.Setenv(layoutFolder, layout),
		os.Setenv(containerd2Folder, filepath.Dir(strings.TrimSpace(string(out)))),
		os.Chdir(here),
	)
}
