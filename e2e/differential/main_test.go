package differential_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// TestMain builds the programs where the module proxy is, and runs the tests
// where nothing but loopback is.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
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
	if !tool.Built() {
		folder, err := os.MkdirTemp("", "vouchsafe-differential-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(folder)
		if err := build(folder); err != nil {
			return 0, err
		}
	}
	folder, err := os.MkdirTemp("", "vouchsafe-differential-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	if err := buildAsked(folder); err != nil {
		return 0, err
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "differential: not root: no network namespace of our own")
		return m.Run(), nil
	}
	return sandbox.Rerun()
}

// build puts the programs into the folder that [tool.Path] looks into.
func build(folder string) error {
	for name, build := range map[string][]string{
		"vouchsafe": {"-C", "../..", "build", "-o", filepath.Join(folder, "vouchsafe"), "./cmd/vouchsafe"},
	} {
		cmd := exec.Command("go", build...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	tools := []string{"cosign2", "cosign3"}
	cmd := exec.Command("../tools.sh", tools...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("find both cosigns, for which a module proxy is needed once: %w", err)
	}
	paths := strings.Fields(string(out))
	if len(paths) != len(tools) {
		return fmt.Errorf("tools.sh answered %q to %q", out, tools)
	}
	for i, name := range tools {
		if err := os.Symlink(paths[i], filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return os.Setenv("VOUCHSAFE_E2E_BIN", folder)
}
