package corpus

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// TestMain builds the gateway where the module proxy is, and runs the tests
// where nothing but loopback is.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
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
		folder, err := os.MkdirTemp("", "vouchsafe-corpus-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(folder)
		if err := build(folder); err != nil {
			return 0, err
		}
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "corpus: not root: no network namespace of our own")
		return m.Run(), nil
	}
	return sandbox.Rerun()
}

// build makes the gateway alone, in the folder that [tool.Path] looks into.
func build(folder string) error {
	cmd := exec.Command("go", "build", "-C", "../..", "-o", filepath.Join(folder, "vouchsafe"), "./cmd/vouchsafe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build vouchsafe: %w\n%s", err, out)
	}
	return os.Setenv("VOUCHSAFE_E2E_BIN", folder)
}
