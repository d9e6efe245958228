package faults_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vouchsafe/e2e/faults/history"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the images' content")

// cellsOf are all cells of a variant.
func cellsOf(v *variant) []*cell {
	var cells []*cell
	for _, warm := range []bool{false, true} {
		for _, k := range []kind{byTag, byDigest, byChild, byBlob} {
			for _, enforce := range []bool{false, true} {
				cells = append(cells, &cell{variant: v, warm: warm, kind: k, enforce: enforce, seed: *seedFlag})
			}
		}
	}
	return cells
}

// sharedLimits bound the process that serves all cells of the shared lab.
var sharedLimits = history.Limits{RSSBytes: 640 << 20, Descriptors: 2000, Goroutines: 4000}

// TestFaults runs every variant in every combination. Those whose fault is not
// of the process share one gateway and run at the same time.
func TestFaults(t *testing.T) {
	t.Parallel()
	var own []*variant
	var cells []*cell
	total := 0
	for _, v := range variants() {
		total++
		if v.process != nil {
			own = append(own, v)
			continue
		}
		cells = append(cells, cellsOf(v)...)
	}
	t.Logf("%d variants, %d cells, seed %d", total, total*16, *seedFlag)
	l, err := newLab(0, world.binary, t.TempDir(), world.names, cells, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	stop := l.process.watch(time.Second)
	for _, c := range cells {
		t.Run(c.name(), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			report(t, c, c.run())
			t.Logf("%d exchanges in %s", len(c.exchanges), time.Since(began).Round(time.Millisecond))
		})
	}
	for i, v := range own {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			runProcess(t, i+1, v)
		})
	}
	t.Cleanup(func() {
		stop()
		l.process.sample(false)
		t.Log(l.process.peak())
		for _, violation := range history.Check(l.whole(sharedLimits)) {
			t.Error(violation)
		}
	})
}

// report judges a cell and says how to run it again.
func report(t *testing.T, c *cell, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	h, err := c.history()
	if err != nil {
		t.Error(err)
	}
	for _, violation := range history.Check(h) {
		t.Error(violation)
	}
	if t.Failed() {
		t.Logf("replay: cd e2e && go test ./faults -run '^TestFaults$/^%s$' -seed %d", c.pattern(), c.seed)
		if os.Getenv("VOUCHSAFE_FAULTS_KEEP") != "" {
			keep(t, c, h)
		}
	}
}

// keep writes a history to a folder, for people.
func keep(t *testing.T, c *cell, h history.History) {
	name := filepath.Join(os.Getenv("VOUCHSAFE_FAULTS_KEEP"), c.registryName())
	text := ""
	for _, x := range h.Exchanges {
		text += fmt.Sprintf("%+v\n", x)
	}
	for _, y := range h.Contacts {
		text += fmt.Sprintf("%+v\n", y)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}
