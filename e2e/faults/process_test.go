package faults_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"vouchsafe/e2e/faults/history"
	"vouchsafe/e2e/internal/sandbox"
	"vouchsafe/e2e/internal/tool"
)

// patience is how long a process may take to begin or to end.
const patience = 45 * time.Second

var silent = log.New(io.Discard, "", 0)

// process is a running gateway.
type process struct {
	binary, dir, config string
	host, ops           string
	env                 []string
	audit, log          string
	cmd                 *exec.Cmd
	ended               chan struct{}

	mu      sync.Mutex // guards samples
	samples []history.Sample
}

// freeAddress returns an address that nobody listens on.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// newProcess makes a folder for a gateway and starts it on documents, which are
// texts by file name.
func newProcess(binary, dir string, documents map[string]string, env ...string) (*process, error) {
	p := &process{
		binary: binary, dir: dir, config: filepath.Join(dir, "config"),
		audit: filepath.Join(dir, "audit.jsonl"), log: filepath.Join(dir, "log"), env: env,
	}
	if err := os.MkdirAll(p.config, 0o700); err != nil {
		return nil, err
	}
	for name, text := range documents {
		if err := p.write(name, text); err != nil {
			return nil, err
		}
	}
	var err, opsErr error
	p.host, err = freeAddress()
	p.ops, opsErr = freeAddress()
	if err := errors.Join(err, opsErr); err != nil {
		return nil, err
	}
	return p, p.start()
}

// write replaces a file of the configuration in one step.
func (p *process) write(name, text string) error {
	partial := filepath.Join(p.config, "."+name)
	if err := os.WriteFile(partial, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, filepath.Join(p.config, name))
}

// inOwnNames runs a command with a resolv.conf that names the stub of the tests.
const inOwnNames = `mount --make-rprivate / && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`

// start starts it, for the first time or again on the same addresses, and waits
// until it is ready.
func (p *process) start() error {
	args := []string{p.binary, "serve", "--config-dir", p.config}
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if sandbox.Inside() {
		names := filepath.Join(p.dir, "resolv.conf")
		if err := os.WriteFile(names, []byte("nameserver "+nameServer+"\noptions timeout:1 attempts:1\n"), 0o600); err != nil {
			return err
		}
		args = append([]string{"/bin/sh", "-c", inOwnNames, "sh", names}, args...)
		attributes.Cloneflags = syscall.CLONE_NEWNS
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.SysProcAttr = attributes
	p.cmd.Env = append(append(tool.Environment(p.dir),
		"VOUCHSAFE_LISTEN="+p.host,
		"VOUCHSAFE_OPS_LISTEN="+p.ops,
		"VOUCHSAFE_LOG_FORMAT=json",
		"VOUCHSAFE_LOG_LEVEL=info",
		"VOUCHSAFE_REQUEST_TIMEOUT=5s",
		"VOUCHSAFE_UNAVAILABLE_TTL=1s",
		"VOUCHSAFE_DRAIN_DELAY=0s",
		"VOUCHSAFE_DRAIN_TIMEOUT=10s",
	), p.env...)
	const appending = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	audit, auditErr := os.OpenFile(p.audit, appending, 0o600)
	logged, logErr := os.OpenFile(p.log, appending, 0o600)
	if err := errors.Join(auditErr, logErr); err != nil {
		return err
	}
	defer audit.Close()
	defer logged.Close()
	p.cmd.Stdout, p.cmd.Stderr = audit, logged
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
	return p.await("be ready", p.ready)
}

// await waits for a condition of a process that lives.
func (p *process) await(what string, condition func() bool) error {
	deadline := time.Now().Add(patience)
	for !condition() {
		select {
		case <-p.ended:
			return fmt.Errorf("the gateway ended (%v) and did not %s:\n%s", p.cmd.ProcessState, what, p.tail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the gateway did not %s:\n%s", what, p.tail())
		}
	}
	return nil
}

func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-4000):])
}

// stop asks it to end, and says what was wrong with that.
func (p *process) stop() error {
	select {
	case <-p.ended:
		return fmt.Errorf("the gateway had ended by itself (%v):\n%s", p.cmd.ProcessState, p.tail())
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.gone()
}

// gone waits for the end that a signal asked for.
func (p *process) gone() error {
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return errors.New("the gateway did not end after SIGTERM")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the gateway ended with %v:\n%s", p.cmd.ProcessState, p.tail())
	}
	return nil
}
