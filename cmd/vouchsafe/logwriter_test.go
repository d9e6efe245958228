package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vouchsafe/config"
)

// stuck is a writer that does not return until it is let go.
type stuck struct {
	entered chan struct{}
	leave   chan struct{}
	text    bytes.Buffer
}

func newStuck() *stuck {
	return &stuck{entered: make(chan struct{}, maxLogLines*2), leave: make(chan struct{})}
}

func (s *stuck) Write(p []byte) (int, error) {
	s.entered <- struct{}{}
	<-s.leave
	return s.text.Write(p)
}

func TestRequestsGoOnWhileNobodyTakesTheLog(t *testing.T) {
	d := newDoor(t, true)
	settings, err := config.LoadSettings([]string{"VOUCHSAFE_LOG_FORMAT=json"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stderr, m := newStuck(), newMetrics()
	log, lines := (&app{stderr: stderr}).startLog(settings, m.logDropped.Inc)
	s := newStack(*d.snapshot.Load(), settings, outside{sink: d.ledger, replica: "replica-0"}, m, log)
	t.Cleanup(s.close)
	log.Info("first")
	<-stderr.entered
	// The first line is in the writer; so many wait, and three are too many.
	d.gateway.Config.Handler = s.handler
	for range maxLogLines - 1 {
		log.Info("waits")
	}
	for range 4 {
		d.pull(t, http.MethodGet, d.image.Digest.String())
	}
	close(stderr.leave)
	lines.close()
	got := stderr.text.String()
	if n := strings.Count(got, `"msg":"request"`); n != 1 {
		t.Errorf("%d requests are logged, want the one that had room", n)
	}
	if !strings.Contains(got, `"level":"ERROR","msg":"log lines were dropped","lines":3}`) {
		t.Errorf("that lines were dropped is not said: …%s", got[max(0, len(got)-300):])
	}
	if got := counted(t, m, "vouchsafe_log_lines_dropped_total"); got != 3 {
		t.Errorf("%v dropped lines are counted, want 3", got)
	}
}

// counted returns the value of a counter without labels.
func counted(t *testing.T, m *metrics, name string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestLogLinesOfManyBytesAreDroppedToo(t *testing.T) {
	var lost atomic.Int64
	stderr := newStuck()
	l := newLogWriter(stderr, func() { lost.Add(1) }, func(int64) {})
	big := bytes.Repeat([]byte("x"), maxLogBytes/4)
	for range 7 {
		if n, err := l.Write(big); n != len(big) || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if got := lost.Load(); got != 3 {
		t.Errorf("%d lines are dropped, want 3", got)
	}
	close(stderr.leave)
	l.close()
	if held := l.held.Load(); held != 0 || stderr.text.Len() != maxLogBytes {
		t.Errorf("%d bytes are held, %d written", held, stderr.text.Len())
	}
}

// failing fails until it is told not to.
type failing struct {
	works bool
	text  bytes.Buffer
}

func (f *failing) Write(p []byte) (int, error) {
	if !f.works {
		return 0, errors.New("broken pipe")
	}
	return f.text.Write(p)
}

func TestLogLinesThatCannotBeWrittenAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Int64
		w := &failing{}
		l := newLogWriter(w, func() { lost.Add(1) }, func(n int64) { fmt.Fprintf(w, "%d dropped\n", n) })
		fmt.Fprintln(l, "one")
		synctest.Wait()
		fmt.Fprintln(l, "two")
		synctest.Wait()
		w.works = true
		fmt.Fprintln(l, "three")
		l.close()
		if got := w.text.String(); got != "three\n2 dropped\n" || lost.Load() != 2 {
			t.Errorf("got %q, %d lost", got, lost.Load())
		}
	})
}

func TestTheEndWaitsOneSecondForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stderr := newStuck()
		l := newLogWriter(stderr, func() {}, func(int64) {})
		fmt.Fprintln(l, "last words")
		begun := time.Now()
		l.close()
		if took := time.Since(begun); took != logFlush {
			t.Errorf("took %v, want %v", took, logFlush)
		}
		close(stderr.leave)
		<-l.done
		if got := stderr.text.String(); got != "last words\n" {
			t.Errorf("wrote %q", got)
		}
	})
}
