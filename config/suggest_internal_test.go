package config

import "testing"

func TestNearest(t *testing.T) {
	keys := []string{"images", "exclude", "signers", "behavior", "onUnavailable", "tagTTL"}
	for word, want := range map[string]string{
		"image": "images", "Images": "images", "behaviour": "behavior", "sigenrs": "signers", "onunavailable": "onUnavailable",
		"tagTtl": "tagTTL", "something": "", "": "", "x": "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
