package faults_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"vouchsafe/e2e/internal/sandbox"
)

// binaryVariable names a gateway that has been built already.
const binaryVariable = "VOUCHSAFE_FAULTS_BIN"

// world is what all tests share.
var world struct {
	binary string
	names  *names
}

// TestMain builds the gateway where the module cache is, and runs the tests
// where nothing but loopback is.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	flag.Parse()
	if !sandbox.Inside() {
		dir, err := os.MkdirTemp("", "vouchsafe-faults-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		if err := prepare(dir); err != nil {
			return 0, err
		}
		if os.Geteuid() == 0 {
			return sandbox.Rerun()
		}
		fmt.Fprintln(os.Stderr, "faults: not root: no network namespace and no name server of our own; names are written as addresses")
		return runInside(m)
	}
	if err := sandbox.LoopbackUp(); err != nil {
		return 0, err
	}
	names, err := newNames()
	if err != nil {
		return 0, err
	}
	world.names = names
	return runInside(m)
}

// prepare builds the gateway into dir, unless the caller has one.
func prepare(dir string) error {
	if os.Getenv(binaryVariable) != "" {
		return nil
	}
	binary := filepath.Join(dir, "vouchsafe")
	if err := build(binary); err != nil {
		return err
	}
	return os.Setenv(binaryVariable, binary)
}

// build builds the gateway of this tree, with flags for the builder.
func build(binary string, flags ...string) error {
	args := append(append([]string{"build", "-o", binary}, flags...), "./cmd/vouchsafe")
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the gateway: %w\n%s", err, out)
	}
	return nil
}

// atOnce is how many cells run at the same time: they wait more than they work.
const atOnce = "48"

func runInside(m *testing.M) (int, error) {
	world.binary = os.Getenv(binaryVariable)
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}
