package proxy

import (
	"net/http"
	"strings"
	"testing"
)

func TestContentRangeThatAnswersTheRequest(t *testing.T) {
	tests := map[string]struct {
		asked, answered string
		length          int64
		ok              bool
	}{
		"the part itself":                {"bytes=2-4", "bytes 2-4/10", 3, true},
		"less than the part":             {"bytes=2-8", "bytes 2-4/10", 3, true},
		"one byte":                       {"bytes=0-0", "bytes 0-0/1", 1, true},
		"an open end":                    {"bytes=2-", "bytes 2-9/10", 8, true},
		"an unknown whole":               {"bytes=2-", "bytes 2-9/*", 8, true},
		"the last bytes":                 {"bytes=-3", "bytes 7-9/10", 3, true},
		"more last bytes than there are": {"bytes=-30", "bytes 0-9/10", 10, true},
		"last bytes of an unknown whole": {"bytes=-3", "bytes 7-9/*", 0, false},
		"other last bytes":               {"bytes=-3", "bytes 6-8/10", 0, false},
		"another beginning":              {"bytes=2-4", "bytes 1-4/10", 0, false},
		"beyond the end of the part":     {"bytes=2-4", "bytes 2-5/10", 0, false},
		"beyond the end of the whole":    {"bytes=2-", "bytes 2-10/10", 0, false},
		"backwards":                      {"bytes=2-", "bytes 2-1/10", 0, false},
		"another unit":                   {"bytes=2-", "lines 2-9/10", 0, false},
		"no whole":                       {"bytes=2-", "bytes 2-9", 0, false},
		"not satisfiable":                {"bytes=2-", "bytes */10", 0, false},
		"a sign":                         {"bytes=2-", "bytes +2-9/10", 0, false},
		"an overflow":                    {"bytes=2-", "bytes 2-99999999999999999999/*", 0, false},
		"nothing was asked":              {"", "bytes 2-9/10", 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			part, _ := parseSpan(test.asked)
			length, ok := part.length(test.answered)
			if ok != test.ok || ok && length != test.length {
				t.Errorf("got %d, %t, want %d, %t", length, ok, test.length, test.ok)
			}
		})
	}
}

// FuzzRange holds that what is passed on is one range in one form, and that an
// answer which counts as one has a length that is true.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-1", "bytes=1-2", "BYTES = 1-2", "bytes=1-2,3-4", "bytes=--1", "bytes=1-99999999999999999999"} {
		f.Add(s, "bytes 1-2/3")
	}
	f.Fuzz(func(t *testing.T, asked, answered string) {
		part, ok := requestedPart(http.Header{"Range": {asked}}, "")
		s := part.String()
		if ok != (s != "") || strings.ContainsAny(s, ", \r\n") {
			t.Fatalf("%q is passed on as %q", asked, s)
		}
		if !ok {
			return
		}
		if again, ok := parseSpan(s); !ok || again != part {
			t.Fatalf("%q reads back as %q", s, again)
		}
		if length, ok := part.length(answered); ok && length <= 0 {
			t.Fatalf("%q has length %d", answered, length)
		}
	})
}
