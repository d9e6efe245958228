// Package gateway runs the product as its users do: one process, a folder of
// documents, an audit file.
package gateway

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"vouchsafe/e2e/internal/tool"
)

// Patience is how long anything may take that is waited for.
const Patience = 30 * time.Second

// Gateway is a running "vouchsafe serve".
type Gateway struct {
	// Host is "127.0.0.1:port" of the registry side, Ops of the ops side.
	Host, Ops string
	// ConfigDir is the folder of its documents.
	ConfigDir string

	audit string
	log   *buffer
	ended chan struct{}
	cmd   *exec.Cmd
}

// Start writes the documents, by file name, and starts a gateway on them. env
// holds further "NAME=value" lines, which win over those that are set here. It
// returns when the gateway is ready; the end of the test ends it.
func Start(tb testing.TB, documents map[string]string, env ...string) *Gateway {
	tb.Helper()
	g := &Gateway{
		Host:      freeAddress(tb),
		Ops:       freeAddress(tb),
		ConfigDir: Documents(tb, documents),
		audit:     filepath.Join(tb.TempDir(), "audit.jsonl"),
		log:       &buffer{},
		ended:     make(chan struct{}),
	}
	g.cmd = exec.Command(tool.Path("vouchsafe"), "serve", "--config-dir", g.ConfigDir) //nolint:gosec,noctx // the cleanup below ends it
	g.cmd.Env = append(tool.Environment(tb.TempDir()),
		"VOUCHSAFE_LISTEN="+g.Host,
		"VOUCHSAFE_OPS_LISTEN="+g.Ops,
		"VOUCHSAFE_LOG_FORMAT=json",
		"VOUCHSAFE_DRAIN_DELAY=0s",
	)
	g.cmd.Env = append(g.cmd.Env, env...)
	// A file, not a pipe that is read here: what is written is in it at once.
	audit, err := os.Create(g.audit)
	if err != nil {
		tb.Fatal(err)
	}
	defer audit.Close() //nolint:errcheck // the process has its own handle
	g.cmd.Stdout, g.cmd.Stderr = audit, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = g.cmd.Wait()
		close(g.ended)
	}()
	tb.Cleanup(func() { g.Stop(tb) })
	g.awaitReady(tb)
	return g
}

// Documents writes documents into a folder of their own.
func Documents(tb testing.TB, documents map[string]string) string {
	tb.Helper()
	folder := tb.TempDir()
	for name, text := range documents {
		write(tb, folder, name, text)
	}
	return folder
}

// Write replaces a document of the running gateway in one step, as a careful
// editor or a mounted ConfigMap does.
func (g *Gateway) Write(tb testing.TB, name, text string) {
	tb.Helper()
	write(tb, g.ConfigDir, name, text)
}

func write(tb testing.TB, folder, name, text string) {
	tb.Helper()
	// The name begins with a dot, so it is no document before it is complete.
	partial := filepath.Join(folder, "."+name)
	if err := os.WriteFile(partial, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(partial, filepath.Join(folder, name)); err != nil {
		tb.Fatal(err)
	}
}

// Await waits until condition holds and fails the test with what, and with the
// gateway's log, when it does not in time.
func (g *Gateway) Await(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			tb.Fatalf("gave up waiting for: %s\n%s", what, g.log)
		case <-g.ended:
			tb.Fatalf("the gateway ended (%v) while the test waited for: %s\n%s", g.cmd.ProcessState, what, g.log)
		case <-tick.C:
		}
	}
}

// PID returns the id of the process.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Log returns what the gateway wrote on its standard streams so far.
func (g *Gateway) Log() string { return g.log.String() }

// Ready reports whether the gateway says that it is ready.
func (g *Gateway) Ready() bool {
	answer, err := http.Get("http://" + g.Ops + "/readyz") //nolint:noctx // loopback, and go test's own time limit holds
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

func (g *Gateway) awaitReady(tb testing.TB) {
	tb.Helper()
	g.Await(tb, "the gateway to be ready", g.Ready)
}

// Stop asks the gateway to end, and demands that it does.
func (g *Gateway) Stop(tb testing.TB) {
	tb.Helper()
	if tb.Failed() {
		tb.Logf("the gateway's log:\n%s", g.log)
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(Patience):
		_ = g.cmd.Process.Kill()
		<-g.ended
		tb.Errorf("the gateway did not end within %s of SIGTERM", Patience)
	}
}

// freeAddress returns an address on loopback that nobody listens on. In the
// network namespace of the tests nobody else takes it.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // only its address was wanted
	return listener.Addr().String()
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex // guards data
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
