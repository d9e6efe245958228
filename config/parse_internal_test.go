package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	type part struct {
		First  int
		Text   string
		Opened bool
	}
	tests := []struct {
		name, text string
		want       []part
	}{
		{"one document", "a: b", []part{{1, "a: b\n", false}}},
		{"a marker first", "---\na: b", []part{{1, "---\na: b\n", true}}},
		{"two documents", "a: b\n---\nc: d", []part{{1, "a: b\n", false}, {2, "---\nc: d\n", true}}},
		{"content behind the marker", "--- {a: b}\n---\tc", []part{{1, "--- {a: b}\n", true}, {2, "---\tc\n", true}}},
		{"a marker last", "a: b\n---", []part{{1, "a: b\n", false}, {2, "---\n", true}}},
		{"PEM at the start of a line is no marker", "-----BEGIN\n---x", []part{{1, "-----BEGIN\n---x\n", false}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []part
			for _, c := range split(strings.Split(test.text, "\n")) {
				got = append(got, part{c.first, c.text, c.opened})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCaretStandsUnderItsColumn(t *testing.T) {
	for _, test := range []struct {
		source string
		column int
		want   string
	}{
		{"abc", 1, "f:1:1: m\n    abc\n    ^"},
		{"\tü: x", 5, "f:1:5: m\n    \tü: x\n    \t   ^"},
		{"abc", 4, "f:1:4: m\n    abc\n       ^"},
		{"abc", 9, "f:1:9: m\n    abc"},
		{"", 1, "f:1:1: m"},
	} {
		got := Problem{File: "f", Line: 1, Column: test.column, Message: "m", Source: test.source}.String()
		if got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}
