package corpus

import (
	"fmt"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/gateway"
)

const mebibyte = 1 << 20

// What docs/limits.md says that the gateway holds when it is full: idle 30 MiB,
// manifests 64 and evidence 32, and while it works bodies 96, signatures 128 and
// manifests on their way 256. Go's collector lets garbage grow to as much again.
const (
	mostStays = 2 * (30 + 64 + 32) * mebibyte
	mostPeak  = 2 * (30 + 64 + 32 + 96 + 128 + 256) * mebibyte
	// mostGrowth is what a second round may add to what stays after the first.
	mostGrowth = 48 * mebibyte
)

// report is what the process has, and had at most.
func report(m gateway.Memory) string {
	return fmt.Sprintf("%d MiB resident (at most %d)", m.Resident/mebibyte, m.Peak/mebibyte)
}

func checkMemory(tb testing.TB, first, second gateway.Memory) {
	tb.Helper()
	if second.Peak > mostPeak {
		tb.Errorf("the gateway had %s, want a peak of at most %d MiB", report(second), mostPeak/mebibyte)
	}
	if second.Resident > mostStays {
		tb.Errorf("the gateway keeps %s, want at most %d MiB", report(second), mostStays/mebibyte)
	}
	if second.Resident > first.Resident+mostGrowth {
		tb.Errorf("the gateway had %s after one round and %s after two: it grows", report(first), report(second))
	}
}

// checkAlive demands that the gateway is ready and that nothing in it panicked.
func checkAlive(tb testing.TB, g *gateway.Gateway) {
	tb.Helper()
	if !g.Ready() {
		tb.Error("the gateway is not ready any more")
	}
	for line := range strings.Lines(g.Log()) {
		if strings.Contains(line, "panic") || strings.Contains(line, "internal error") || strings.Contains(line, "runtime error") {
			tb.Errorf("the log tells of a panic: %.2000s", line)
		}
	}
}
