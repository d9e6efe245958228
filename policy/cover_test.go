package policy

import (
	"strings"
	"testing"
)

func newGlob(text string) glob {
	return glob{text: text, compiled: text, elements: strings.Split(text, "/"), all: text == anyElements}
}

func TestCoverAndOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b            string
		covers, overlap bool
	}{
		{"**", "docker.io/acme/api", true, true},
		{"docker.io/acme/api", "**", false, true},
		{"docker.io/**", "docker.io/acme/*", true, true},
		{"docker.io/acme/*", "docker.io/**", false, true},
		{"docker.io/acme/*", "docker.io/acme/api-*", true, true},
		{"docker.io/acme/*-api", "docker.io/acme/api-*", false, true},
		{"docker.io/acme/*", "docker.io/acme/a/*", false, false},
		{"docker.io/acme/**", "docker.io/other/**", false, false},
		{"*/acme/**", "docker.io/acme/**", true, true},
		{"**/api", "docker.io/**/api", true, true},
		{"**/api", "docker.io/acme/*", false, true},
		{"docker.io/*/api", "docker.io/**/api", false, true},
		{"docker.io/acme/a*b", "docker.io/acme/ab", true, true},
		{"docker.io/acme/a*b", "docker.io/acme/ac", false, false},
		{"docker.io/acme/api", "docker.io/acme/api", true, true},
		{"docker.io/acme", "docker.io/acme/**", false, true},
		{"a/**/b/**/c", "a/x/b/y/c", true, true},
		{"a/**/b", "a/b/c", false, false},
	} {
		a, b := newGlob(test.a), newGlob(test.b)
		if got := a.covers(b); got != test.covers {
			t.Errorf("%s covers %s: got %v, want %v", test.a, test.b, got, test.covers)
		}
		if got := a.overlaps(b); got != test.overlap {
			t.Errorf("%s overlaps %s: got %v, want %v", test.a, test.b, got, test.overlap)
		}
		if a.overlaps(b) != b.overlaps(a) {
			t.Errorf("overlap of %s and %s depends on the order", test.a, test.b)
		}
	}
}

func TestCoverTakesNoExponentialTime(t *testing.T) {
	stars := strings.Repeat("**/a/", 40) + "**/b"
	if newGlob(stars).covers(newGlob(strings.Repeat("a/", 60) + "c")) {
		t.Error("covers a name that does not end as it does")
	}
	wide := "x/" + strings.Repeat("a*", 100)
	if newGlob(wide).overlaps(newGlob("x/" + strings.Repeat("a", 100) + "b*c")) {
		_ = wide // Either answer is right for this pair; that there is one is the point.
	}
}
