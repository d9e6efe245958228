package policy

import "testing"

func TestNearestFindsOneSlip(t *testing.T) {
	names := map[string]bool{"release-team": true, "qa": true}
	for name, want := range map[string]string{
		"Release-Team":   "release-team",
		"release_team":   "release-team",
		"release-teams":  "release-team",
		"relese-team":    "release-team",
		"release-taem":   "release-team",
		"rrlease-team":   "release-team",
		" release team ": "release-team",
		"q":              "qa",
		"aq":             "qa",
		"":               "",
		"qa-team":        "",
		"ÿ":              "",
		"other":          "",
	} {
		if got := nearest(name, func(n string) bool { return names[n] }); got != want {
			t.Errorf("nearest to %q: got %q, want %q", name, got, want)
		}
	}
}
