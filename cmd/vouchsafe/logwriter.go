package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"vouchsafe/config"
)

// Bounds of the log lines that wait for whoever reads them.
const (
	maxLogLines = 4096
	maxLogBytes = 8 << 20
	// logFlush is how long the end of the program waits for them.
	logFlush = time.Second
)

// logWriter hands lines to a writer that may stop taking them, such as a full
// pipe, without ever making a request wait: what does not fit is dropped and
// counted. It is safe for concurrent use.
type logWriter struct {
	w     io.Writer
	lines chan []byte
	// held is the bytes in lines and of the line being written.
	held atomic.Int64
	// unsaid is how many lines were lost since that was last said.
	unsaid atomic.Int64
	// lost counts one line that was not written.
	lost func()
	// say tells, on w, how many were lost.
	say        func(int64)
	quit, done chan struct{}
}

// newLogWriter starts a writer; close ends it.
func newLogWriter(w io.Writer, lost func(), say func(int64)) *logWriter {
	l := &logWriter{
		w: w, lines: make(chan []byte, maxLogLines), lost: lost, say: say,
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// startLog returns the log of a program that serves, on stderr, and what ends it.
func (a *app) startLog(settings config.Settings, lost func()) (*slog.Logger, *logWriter) {
	direct := newLogger(a.stderr, settings)
	w := newLogWriter(a.stderr, lost, func(n int64) { direct.Error("log lines were dropped", "lines", n) })
	if settings.LogFormat == "" && isTerminal(a.stderr) {
		settings.LogFormat = "text"
	}
	return newLogger(w, settings), w
}

// Write keeps a copy of one line, or drops it; it never waits and never fails.
func (l *logWriter) Write(line []byte) (int, error) {
	size := int64(len(line))
	if l.held.Add(size) <= maxLogBytes {
		select {
		case l.lines <- bytes.Clone(line):
			return len(line), nil
		default:
		}
	}
	l.held.Add(-size)
	l.drop()
	return len(line), nil
}

func (l *logWriter) drop() {
	l.unsaid.Add(1)
	l.lost()
}

func (l *logWriter) run() {
	defer close(l.done)
	for {
		select {
		case line := <-l.lines:
			l.write(line)
		case <-l.quit:
			for {
				select {
				case line := <-l.lines:
					l.write(line)
				default:
					return
				}
			}
		}
	}
}

func (l *logWriter) write(line []byte) {
	_, err := l.w.Write(line)
	l.held.Add(-int64(len(line)))
	if err != nil {
		l.drop()
		return
	}
	// With nothing left to write this is the place where lines are missing.
	if len(l.lines) == 0 {
		if n := l.unsaid.Swap(0); n > 0 {
			l.say(n)
		}
	}
}

// close writes what waits, for at most logFlush. It is called once; lines that
// come later are kept by nobody.
func (l *logWriter) close() {
	close(l.quit)
	timer := time.NewTimer(logFlush)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}
