package ssrf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// inside is set in the environment of the process in the namespaces.
const inside = "VOUCHSAFE_SSRF_SANDBOX"

// TestMain builds the gateway where the module proxy is, and runs the tests in
// namespaces where every address is ours.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ssrf:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if os.Getenv(inside) != "" {
		if err := errors.Join(sandbox.LoopbackUp(), everyAddressIsLocal(), ownResolver()); err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "ssrf: not root: without a network namespace of our own a hit could not be told")
		return m.Run(), nil
	}
	if !tool.Built() {
		folder, err := os.MkdirTemp("", "vouchsafe-ssrf-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(folder)
		if err := build(folder); err != nil {
			return 0, err
		}
	}
	return rerun()
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

// rerun runs this program again in new network and mount namespaces and returns
// its exit code.
func rerun() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the test binary: %w", err)
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGTERM,
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run in namespaces: %w", err)
	}
	return 0, nil
}

// ownResolver makes every program of this namespace ask our name server.
func ownResolver() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	for path, text := range map[string]string{
		"/etc/resolv.conf": "nameserver " + nameServer + "\noptions attempts:1 timeout:2\n",
		"/etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
	} {
		file, err := os.CreateTemp("", "vouchsafe-ssrf-")
		if err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
		_, writeErr := file.WriteString(text)
		// The mount keeps the file.
		if err := errors.Join(writeErr, file.Close(), unix.Mount(file.Name(), path, "", unix.MS_BIND, ""), os.Remove(file.Name())); err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
	}
	return nil
}
