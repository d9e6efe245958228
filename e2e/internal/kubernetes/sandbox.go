// Package kubernetes runs a real control plane, and on demand a real node, for
// the tests of one package: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, containerd and kubelet, in namespaces of their own, so that
// nothing of them can reach outside or outlive the tests.
package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"vouchsafe/e2e/internal/sandbox"
)

// inside is set in the environment of the process that runs in the namespaces.
// It holds the name of the tests' control group.
const inside = "VOUCHSAFE_E2E_KUBERNETES"

// The addresses of the tests' network namespace.
const (
	// NodeIP is the machine's address: of the API server, of the node, and of
	// whatever the tests serve to pods.
	NodeIP = "10.99.0.10"
	// apiIP is the first address of the range of Services, where pods look for
	// the API server. It is an address of the machine too, and so nothing has to
	// route Services.
	apiIP       = "10.96.0.1"
	serviceCIDR = "10.96.0.0/24"
	podCIDR     = "10.244.0.0/24"
)

// private are folders of the machine that programs of a node write to, whatever
// they are told. Each is an empty one of the tests' own.
var private = []string{"/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet"}

// Inside reports whether this process already runs in the namespaces.
func Inside() bool { return os.Getenv(inside) != "" }

// Rerun runs this program again, with the same arguments, as the first process
// of namespaces of its own for processes, mounts and the network, and returns
// its exit code. Its end is the end of every process that it started, containers
// included, and of every mount. It needs root.
func Rerun() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the test binary: %w", err)
	}
	defer removeNew(private)()
	group := "vouchsafe-e2e-" + strconv.Itoa(os.Getpid())
	cmd := exec.Command(self, os.Args[1:]...) //nolint:gosec,noctx // it is this very program, and it ends with this one
	cmd.Env = append(os.Environ(), inside+"="+group)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	// An interrupt from the terminal reaches both; this one must live to clean up.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	err = cmd.Run()
	removed := removeGroups(group)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, exit.ExitCode()), removed
	}
	if err != nil {
		return 0, fmt.Errorf("run in namespaces: %w", err)
	}
	return 0, removed
}

// removeNew returns what removes those of the folders that are not there yet,
// and are empty then.
func removeNew(folders []string) func() {
	var missing []string
	for _, folder := range folders {
		if _, err := os.Stat(folder); err != nil {
			missing = append(missing, folder)
		}
	}
	return func() {
		for _, folder := range missing {
			_ = os.Remove(folder) // one that somebody else uses by now is not empty
		}
	}
}

// Enter makes the namespaces fit for a node: mounts that nobody else sees, a
// /proc of the processes that are here, and a network with one address.
func Enter() error {
	// Shared among themselves, as runtimes want it, but with nobody outside.
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
	); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	for _, folder := range private {
		if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // as on any node
			return err
		}
		if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount an empty %s: %w", folder, err)
		}
	}
	if err := sandbox.LoopbackUp(); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "add", "node0", "type", "veth", "peer", "name", "node0p"},
		{"addr", "add", NodeIP + "/24", "dev", "node0"},
		{"addr", "add", apiIP + "/32", "dev", "node0"},
		{"link", "set", "node0", "up"},
		{"link", "set", "node0p", "up"},
		// The kubelet looks for a default route.
		{"route", "add", "default", "dev", "node0"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil { //nolint:gosec,noctx // fixed arguments; it ends at once
			return fmt.Errorf("ip %v (Debian: apt-get install iproute2): %w\n%s", args, err, out)
		}
	}
	return nil
}

// cgroups is where control groups are.
const cgroups = "/sys/fs/cgroup"

// hierarchies are the roots of the control groups: one for each controller in
// version 1, a single one in version 2.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}
	}
	found, _ := filepath.Glob(filepath.Join(cgroups, "*", "cgroup.procs")) // the pattern is well formed
	roots := make([]string, 0, len(found))
	for _, file := range found {
		roots = append(roots, filepath.Dir(file))
	}
	return roots
}

// makeGroups makes the tests' control group, under which the kubelet puts its
// pods, and returns its name.
func makeGroups() (string, error) {
	group := os.Getenv(inside)
	// In version 2 a group has those controllers that its parent hands down. Where
	// that is not to be changed it is set already, or the kubelet says what it lacks.
	_ = os.WriteFile(filepath.Join(cgroups, "cgroup.subtree_control"), []byte("+cpu +cpuset +memory +pids"), 0)
	for _, root := range hierarchies() {
		folder := filepath.Join(root, group)
		if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // as the kubelet makes them
			return "", fmt.Errorf("make a control group: %w", err)
		}
		// In version 1 a new set of processors and memory nodes is empty.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			all, err := os.ReadFile(filepath.Join(root, file)) //nolint:gosec // a fixed folder
			if err != nil || len(all) == 0 {
				continue
			}
			if err := os.WriteFile(filepath.Join(folder, file), all, 0o644); err != nil { //nolint:gosec // a file of the kernel's
				return "", fmt.Errorf("fill a control group: %w", err)
			}
		}
	}
	return group, nil
}

// removeGroups removes the control group, which by now has no process.
func removeGroups(group string) error {
	var failed []error
	for _, root := range hierarchies() {
		var folders []string
		_ = filepath.WalkDir(filepath.Join(root, group), func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil // what cannot be read cannot be removed either, and that is reported
		})
		for i := len(folders) - 1; i >= 0; i-- {
			if err := unix.Rmdir(folders[i]); err != nil && !errors.Is(err, unix.ENOENT) {
				failed = append(failed, fmt.Errorf("remove the control group %s: %w", folders[i], err))
			}
		}
	}
	return errors.Join(failed...)
}
