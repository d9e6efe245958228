package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"vouchsafe/e2e/internal/tool"
)

const (
	// patience is how long anything may take that is waited for.
	patience = 90 * time.Second
	// grace is how long a program may take to end before it is killed.
	grace = 2 * time.Second
	// tail is how much of a program's log is shown, in bytes.
	tail = 3 << 10
)

// process is a running program of the cluster. Its output is in a file.
type process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{}
}

// start starts a program with a log in the cluster's folder; a second start of
// the same name appends to it.
func (c *Cluster) start(name string, env []string, path string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(c.folder, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                   //nolint:errcheck // the process has its own handle
	p.cmd = exec.Command(path, args...) //nolint:gosec,noctx // the harness chooses the program, and stop ends it
	p.cmd.Env = append(tool.Environment(c.folder), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	c.processes = append(c.processes, p)
	return p, nil
}

// await waits until condition holds.
func (p *process) await(what string, condition func() bool) error {
	limit := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit:
			return fmt.Errorf("gave up waiting for %s: %s\n%s", p.name, what, p.last())
		case <-p.ended:
			return fmt.Errorf("%s ended (%v) before: %s\n%s", p.name, p.cmd.ProcessState, what, p.last())
		case <-tick.C:
		}
	}
	return nil
}

// stop asks the program to end, and kills it when it does not in time: the API
// server waits long for clients that are gone.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// last returns the end of what the program wrote.
func (p *process) last() string {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(all[max(0, len(all)-tail):])
}
