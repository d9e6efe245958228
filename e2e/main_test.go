package e2e_test

import (
	"fmt"
	"os"
	"testing"

	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// TestMain builds the programs where the network is, and runs the tests where
// it is not.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
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
		dir, err := os.MkdirTemp("", "vouchsafe-e2e-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		if err := tool.Build(dir); err != nil {
			return 0, err
		}
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "e2e: not root: no network namespace of our own, and containerd's tests are skipped")
		return m.Run(), nil
	}
	return sandbox.Rerun()
}
