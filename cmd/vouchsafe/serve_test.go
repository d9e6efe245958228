package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nobody reads stderr: the pipe is full after some hundred requests.
func TestServeOutlivesAFullStderr(t *testing.T) {
	dir := t.TempDir()
	unread, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	cmd := exec.CommandContext(t.Context(), "vouchsafe", "serve", "--config-dir", dir, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stderr.Close()
	// The first line says where it listens.
	text := make([]byte, 4<<10)
	n, err := io.ReadAtLeast(unread, text, 200)
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(string(text[:n]), `"registry":"`)
	address, _, _ = strings.Cut(address, `"`)
	client := &http.Client{Timeout: 5 * time.Second}
	for i := range 1000 {
		answer, err := client.Get("http://" + address + "/v2/")
		if err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
		answer.Body.Close()
	}
	client.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v, want exit code 0", err)
	}
}
