package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
)

// TestAWarmManifestTouchesNothing pulls a known image by digest and watches, from
// outside, what the gateway asks of the registry and of the file system.
func TestAWarmManifestTouchesNothing(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed to see which files the gateway touches; make packages installs it")
	}
	at, document := upstreams[0].open(t)
	layout := cosign.Layouts()[0]
	key := cosign.NewKey(t, layout)
	image := at.Push(t, "acme/signed", "1")
	key.Sign(t, at, image, layout)
	g := gateway.Start(t, enforced(t, document, key))
	if answer := ask(t, g, "docker.io/acme/signed", image.Digest); answer.Status != http.StatusOK {
		t.Fatalf("got %d, want 200", answer.Status)
	}
	at.Reset()
	before := len(g.Audit(t))

	// All calls that name a file, and all writes to the audit file (standard
	// output). The gateway looks at its documents once a second besides.
	watch := exec.Command(strace, "-f", "-q", "-e", "trace=%file,write,pwrite64,writev", "-e", "signal=none", "-p", strconv.Itoa(g.PID()))
	watch.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := watch.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	traced := &lines{}
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(traced, stderr) }()
	// It is attached when it shows the gateway's own look at the documents.
	g.Await(t, "strace is attached", func() bool { return strings.Contains(traced.text(), g.ConfigDir) })

	const pulls = 100
	for range pulls {
		answer, err := g.Manifest(http.DefaultClient, http.MethodGet, "docker.io/acme/signed", image.Digest)
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("got %d, %v", answer.Status, err)
		}
	}
	if err := watch.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-done
	_ = watch.Wait()

	if got := len(g.Audit(t)) - before; got != pulls {
		t.Errorf("got %d audit lines, want %d", got, pulls)
	}
	for _, request := range at.Requests("/v2/") {
		t.Errorf("the registry was asked: %s", request)
	}
	audited := 0
	for line := range strings.SplitSeq(traced.text(), "\n") {
		switch {
		case strings.Contains(line, "write(1, "):
			audited++
		case strings.Contains(line, "write"), strings.TrimSpace(line) == "", strings.Contains(line, "resumed>"), strings.HasPrefix(line, "strace: "):
			// Sockets and the log, and the ends of calls that were seen before.
		case strings.Contains(line, g.ConfigDir), strings.HasPrefix(g.ConfigDir, quoted(line)):
			// The look at the documents, and at the folders above them.
		default:
			t.Errorf("a file was touched: %s", line)
		}
	}
	if audited != pulls {
		t.Errorf("got %d writes of audit lines, want %d, one each", audited, pulls)
	}
}

// lines is a buffer that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// quoted returns the first quoted text of a line.
func quoted(line string) string {
	_, rest, _ := strings.Cut(line, `"`)
	text, _, found := strings.Cut(rest, `"`)
	if !found {
		return line
	}
	return text
}
