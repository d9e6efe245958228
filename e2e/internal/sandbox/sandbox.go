// Package sandbox runs a test binary again inside a network namespace of its
// own that has a loopback device and nothing else: what the tests start can
// reach only what the tests serve.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside is set in the environment of the process that runs in the namespace.
const inside = "VOUCHSAFE_E2E_SANDBOX"

// Inside reports whether this process already runs in the namespace.
func Inside() bool { return os.Getenv(inside) != "" }

// Rerun runs this program again, with the same arguments, in a new network
// namespace, and returns its exit code. It needs root.
func Rerun() (int, error) { return rerun(syscall.CLONE_NEWNET) }

// RerunWithMounts is [Rerun] in a namespace of mounts of its own too: what is
// mounted there is seen by this program and what it starts alone. [MountsPrivate]
// must be called inside.
func RerunWithMounts() (int, error) { return rerun(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS) }

// MountsPrivate cuts the namespace of mounts off from the one that it is a copy
// of, which would else learn of new mounts.
func MountsPrivate() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

func rerun(namespaces uintptr) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the test binary: %w", err)
	}
	cmd := exec.Command(self, os.Args[1:]...) //nolint:gosec,noctx // it is this very program, and it ends with this one
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: namespaces,
		Pdeathsig:  syscall.SIGTERM,
	}
	// An interrupt from the terminal reaches both. The inner one ends by it, and
	// this one must live to report that. Not ignored, which would be inherited.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run in a network namespace: %w", err)
	}
	return 0, nil
}

// LoopbackUp brings the loopback device of the namespace up.
func LoopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(socket) //nolint:errcheck // nothing was written to it
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("name the loopback device: %w", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring the loopback device up: %w", err)
	}
	return nil
}
