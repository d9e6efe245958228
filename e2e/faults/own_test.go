package faults_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vouchsafe/e2e/faults/history"
)

// processFault is a fault of the process itself, or of what it stands on: its
// cells have a gateway of their own and go through it together.
type processFault struct {
	// env are more settings; dir is a folder of the gateway's own.
	env func(dir string) ([]string, error)
	// begin and end change what is wrong; both may be nil.
	begin, end func(l *lab) error
	// opened starts with a policy that does not enforce yet.
	opened    bool
	sinkFails bool
	limits    history.Limits
}

// runProcess runs all cells of a variant against one gateway.
func runProcess(t *testing.T, number int, v *variant) {
	cells := cellsOf(v)
	l, err := runTogether(number, world.binary, t.TempDir(), v, cells)
	for _, c := range cells {
		name := strings.TrimPrefix(c.name(), v.name+"/")
		t.Run(name, func(t *testing.T) { report(t, c, nil) })
	}
	if err != nil {
		t.Error(err)
	}
	if l != nil {
		t.Log(l.process.peak())
		for _, violation := range history.Check(l.whole(v.process.limits)) {
			t.Error(violation)
		}
	}
}

// runTogether takes the cells through the fault, step by step. The gateway has
// been stopped when it returns.
func runTogether(number int, binary, dir string, v *variant, cells []*cell) (*lab, error) {
	p := v.process
	var env []string
	if p.env != nil {
		var err error
		if env, err = p.env(dir); err != nil {
			return nil, err
		}
	}
	l, err := newLab(number, binary, dir, world.names, cells, p.opened, env...)
	if err != nil {
		return nil, err
	}
	unwatch := l.process.watch(200 * time.Millisecond)
	err = l.steps(p)
	unwatch()
	l.rest()
	for _, c := range cells {
		if c.reg != nil {
			c.reg.close()
		}
	}
	// What it wrote is read now; the page of metrics is gone later.
	l.written = l.process.outputs()
	return l, errors.Join(err, l.close())
}

func (l *lab) steps(p *processFault) error {
	if err := l.together(func(c *cell) error { return errors.Join(c.prepare(), c.before()) }); err != nil {
		return err
	}
	_ = l.together(func(c *cell) error { c.begin(); return nil })
	if p.begin != nil {
		if err := p.begin(l); err != nil {
			return fmt.Errorf("begin the fault: %w", err)
		}
	}
	_ = l.together(func(c *cell) error { c.during(); return nil })
	if p.end != nil {
		if err := p.end(l); err != nil {
			return fmt.Errorf("end the fault: %w", err)
		}
	}
	_ = l.together(func(c *cell) error { c.end(); return nil })
	_ = l.together(func(c *cell) error { c.after(); return nil })
	return nil
}

// together does something for all cells at the same time.
func (l *lab) together(do func(c *cell) error) error {
	var group sync.WaitGroup
	failed := make([]error, len(l.cells))
	for i, c := range l.cells {
		group.Go(func() { failed[i] = do(c) })
	}
	group.Wait()
	return errors.Join(failed...)
}

// rest waits until what clients left open is gone, and samples.
func (l *lab) rest() {
	l.client.CloseIdleConnections()
	time.Sleep(500 * time.Millisecond)
	l.process.sample(true)
}

// pattern is the cell's name as -run wants it.
func (c *cell) pattern() string { return strings.ReplaceAll(c.name(), "/", "$/^") }
