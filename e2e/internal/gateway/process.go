package gateway

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Memory is what the kernel says of the process's memory, in bytes.
type Memory struct{ Resident, Peak int64 }

// Memory reads the memory of the process.
func (g *Gateway) Memory(tb testing.TB) Memory {
	tb.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	var m Memory
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case err != nil:
		case name == "VmRSS":
			m.Resident = kib << 10
		case name == "VmHWM":
			m.Peak = kib << 10
		}
	}
	if m.Resident == 0 || m.Peak == 0 {
		tb.Fatal("the kernel does not say how much memory the gateway has")
	}
	return m
}

// Descriptors counts the open descriptors of the process.
func (g *Gateway) Descriptors(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
	if err != nil {
		tb.Fatal(err)
	}
	return len(entries)
}

// Signal sends a signal to the process.
func (g *Gateway) Signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := g.cmd.Process.Signal(signal); err != nil {
		tb.Fatal(err)
	}
}

// Ended is closed when the process has ended.
func (g *Gateway) Ended() <-chan struct{} { return g.ended }

// AuditText returns the audit file as it is.
func (g *Gateway) AuditText(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(g.audit)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
