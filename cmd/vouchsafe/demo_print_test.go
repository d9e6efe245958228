package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	words := strings.Repeat("word ", 60)
	for name, tc := range map[string]struct {
		text  string
		lines int
	}{
		"a short line stays":              {"a b", 1},
		"a long one breaks at spaces":     {words, 4},
		"a word that is too long is kept": {strings.Repeat("x", 300), 1},
		"commas break too":                {strings.Repeat("field,", 40), 3},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(wrap(" 1  ", "    ", tc.text), "\n")
			if len(lines) != tc.lines {
				t.Errorf("%d lines, want %d: %q", len(lines), tc.lines, lines)
			}
			joined := ""
			for i, line := range lines {
				if n := utf8.RuneCountInString(line); n > demoWidth && strings.ContainsAny(strings.TrimSpace(line[4:]), " ,") {
					t.Errorf("line %d has %d columns", i, n)
				}
				joined += line[4:]
			}
			strip := strings.NewReplacer(" ", "")
			if strip.Replace(joined) != strip.Replace(tc.text) {
				t.Errorf("text was lost: %q", joined)
			}
		})
	}
}

func TestDemoIsNarrow(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"demo", "--script"}, strings.NewReader(""), &stdout, &stderr, nil); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for line := range strings.Lines(stdout.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > demoWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
