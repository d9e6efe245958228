package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"vouchsafe/internal/report"
)

const (
	// progressAfter is how long a command runs before it says how far it is.
	progressAfter = 500 * time.Millisecond
	// progressEvery is how often the line changes at most.
	progressEvery = 100 * time.Millisecond
	// progressColumns is the width that the line keeps to.
	progressColumns = 79
	// eraseLine goes back to the first column and clears the line.
	eraseLine = "\r\x1b[K"
)

// progress is one line on a terminal that says how far long work is. A nil one
// says nothing. It is safe for concurrent use; nothing else may write to the
// terminal between the first begin and end.
type progress struct {
	w    io.Writer
	verb string

	// mu guards what follows.
	mu         sync.Mutex
	total, did int
	name, line string
	// stop ends the drawing, which closes stopped; nil before begin.
	stop, stopped chan struct{}
}

// newProgress returns the progress of a command that is about to "verb" images;
// nil when nobody looks at stderr.
func (a *app) newProgress(verb string) *progress {
	if !isTerminal(a.stderr) || a.env("TERM") == "dumb" {
		return nil
	}
	return &progress{w: a.stderr, verb: verb}
}

// begin adds n images, and begins to draw at the first call.
func (p *progress) begin(n int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
	if p.stop == nil {
		p.stop, p.stopped = make(chan struct{}), make(chan struct{})
		go p.run(p.stop, p.stopped)
	}
}

// run draws until stop is closed, then takes the line away.
func (p *progress) run(stop, stopped chan struct{}) {
	defer close(stopped)
	wait := time.NewTimer(progressAfter)
	defer wait.Stop()
	for {
		select {
		case <-stop:
			p.erase()
			return
		case <-wait.C:
			p.draw()
			wait.Reset(progressEvery)
		}
	}
}

// draw writes the line when it is another than the one that stands there.
func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := []rune(report.Escape(fmt.Sprintf("%s %d/%d %s", p.verb, p.did, p.total, p.name)))
	if len(line) > progressColumns {
		line = append(line[:progressColumns-1], '…')
	}
	if string(line) != p.line {
		p.line = string(line)
		// A terminal that is gone is no reason to stop.
		_, _ = io.WriteString(p.w, eraseLine+p.line)
	}
}

func (p *progress) erase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != "" {
		_, _ = io.WriteString(p.w, eraseLine)
	}
}

// now says which image is asked about.
func (p *progress) now(name string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
}

// done counts one image.
func (p *progress) done() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.did++
}

// end takes the line away; after it nothing is drawn.
func (p *progress) end() {
	if p == nil || p.stop == nil {
		return
	}
	close(p.stop)
	<-p.stopped
}
