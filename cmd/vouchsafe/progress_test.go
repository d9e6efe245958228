package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressIsOneLineThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w strings.Builder
		p := &progress{w: &w, verb: "verifying"}
		p.begin(3)
		for _, name := range []string{"docker.io/acme/one:1", "docker.io/acme/two:1\x1b[2J", "docker.io/" + strings.Repeat("long/", 40)} {
			p.now(name)
			time.Sleep(progressAfter + progressEvery/2)
			p.done()
		}
		p.end()
		got := w.String()
		time.Sleep(time.Minute)
		if w.String() != got {
			t.Errorf("something was written behind the end: %q", w.String())
		}
		if strings.Contains(got, "\n") || !strings.HasSuffix(got, eraseLine) {
			t.Errorf("got %q, want one line that is erased at the end", got)
		}
		lines := strings.Split(strings.TrimSuffix(got, eraseLine), eraseLine)[1:]
		if len(lines) != 3 || lines[0] != "verifying 0/3 docker.io/acme/one:1" || lines[1] != `verifying 1/3 docker.io/acme/two:1\u001b[2J` || !strings.HasPrefix(lines[2], "verifying 2/3 docker.io/long/") {
			t.Errorf("got %q", lines)
		}
		for _, line := range lines {
			if n := len([]rune(line)); n > progressColumns {
				t.Errorf("%q is %d wide", line, n)
			}
		}
	})
}

func TestShortWorkShowsNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w strings.Builder
		p := &progress{w: &w, verb: "verifying"}
		p.begin(1)
		time.Sleep(progressAfter - 1)
		p.now("docker.io/acme/one:1")
		p.done()
		p.end()
		if w.Len() != 0 {
			t.Errorf("got %q", w.String())
		}
	})
}

func TestProgressOnlyOnATerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	for name, out := range map[string]io.Writer{"a pipe": w, "memory": io.Discard} {
		if p := (&app{stderr: out}).newProgress("verifying"); p != nil {
			t.Errorf("%s counts as a terminal", name)
		}
	}
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = device.Close() }()
	// A device is what a terminal is told by here.
	if p := (&app{stderr: device}).newProgress("verifying"); p == nil {
		t.Error("a device does not count as a terminal")
	}
	if p := (&app{stderr: device, environ: []string{"TERM=dumb"}}).newProgress("verifying"); p != nil {
		t.Error("a terminal that cannot erase gets progress")
	}
	// Without progress nothing is said and nothing fails.
	values, code := each(t.Context(), make([]member, 3), false, nil, func(context.Context, member, *int) answer[int] { return answer[int]{value: 1} })
	if len(values) != 3 || code != exitOK {
		t.Errorf("got %v, %d", values, code)
	}
}
