package sigstore

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"vouchsafe/e2e/internal/tool"
)

const (
	// patience is how long a server may take until it serves.
	patience = 60 * time.Second
	// grace is how long a server may take to end before it is killed: nothing of
	// it outlives the test.
	grace = 2 * time.Second
)

// process is a running server.
type process struct {
	name           string
	cmd            *exec.Cmd
	ended          chan struct{}
	stdout, stderr *output
}

// start starts a program of the folder of servers in a small environment. It
// ends with the test, or with this process when that is killed.
func (s *Stack) start(tb testing.TB, name string, args ...string) *process {
	tb.Helper()
	p := &process{name: name, ended: make(chan struct{}), stdout: &output{}, stderr: &output{}}
	p.cmd = exec.Command(filepath.Join(tool.Path("sigstore"), name), args...) //nolint:gosec,noctx // the tests choose the program; the cleanup below ends it
	p.cmd.Env = tool.Environment(s.folder)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(func() { p.stop(tb) })
	return p
}

// stop ends the server, and shows what it said when the test failed.
func (p *process) stop(tb testing.TB) {
	if tb.Failed() {
		tb.Logf("%s said last:\n%s", p.name, p.last())
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// await waits until condition holds.
func (p *process) await(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			tb.Fatalf("gave up waiting for %s: %s\n%s", p.name, what, p.last())
		case <-p.ended:
			tb.Fatalf("%s ended (%v) before: %s\n%s", p.name, p.cmd.ProcessState, what, p.last())
		case <-tick.C:
		}
	}
}

// awaitAnswer waits until a GET of url is answered with 200.
func (p *process) awaitAnswer(tb testing.TB, url string) {
	tb.Helper()
	p.await(tb, "an answer of "+url, func() bool {
		response, err := http.Get(url) //nolint:gosec,noctx // loopback, and the wait has a limit
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
}

// address returns an address on loopback that nobody listens on. In the network
// namespace of the tests nobody else takes it.
func address(tb testing.TB) (whole, port string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	check(tb, err)
	defer listener.Close() //nolint:errcheck // only its address was wanted
	whole = listener.Addr().String()
	_, port, err = net.SplitHostPort(whole)
	check(tb, err)
	return whole, port
}

// output is what a program wrote. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex // guards data
	data bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// last returns the end of what the server wrote.
func (p *process) last() string {
	all := p.stdout.String() + p.stderr.String()
	return all[max(0, len(all)-4<<10):]
}
