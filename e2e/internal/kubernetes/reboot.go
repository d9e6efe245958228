package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Reboot ends the kubelet, containerd, every container and the control plane at
// once, as a power cut does, and starts all of it again on what is on disk.
func (c *Cluster) Reboot() error {
	for _, p := range slices.Backward(c.processes) {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	c.processes = nil
	if err := killContainers(); err != nil {
		return err
	}
	for _, start := range []func() error{c.startEtcd, c.startAPI, c.startControllers, c.startScheduler, c.startNode} {
		if err := start(); err != nil {
			return err
		}
	}
	return nil
}

// killContainers kills each shim and each process in the tests' control group.
// All processes that can be seen here are the tests' own.
func killContainers() error {
	group := os.Getenv(inside)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		name, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "comm"))     // one that ended meanwhile
		groups, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cgroup")) // likewise
		if strings.HasPrefix(string(name), "containerd-shim") || strings.Contains(string(groups), "/"+group+"/") {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill %d: %w", pid, err)
			}
		}
	}
	return nil
}
