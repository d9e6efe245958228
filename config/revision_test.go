package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/config"
)

func TestTheRevisionDependsOnContentAlone(t *testing.T) {
	key := newKey(t)
	load := func(change func(*config.Settings), files map[string]string) string {
		t.Helper()
		dir := t.TempDir()
		for name, text := range files {
			write(t, filepath.Join(dir, name), text)
		}
		settings := defaults(t)
		if change != nil {
			change(&settings)
		}
		return mustLoad(t, dir, config.LoadOptions{Settings: settings}).Revision
	}
	team, prod := integration("team", key), imagePolicy("prod", "team", "Inform")
	base := load(nil, map[string]string{"all.yaml": team + "---\n" + prod})

	same := map[string]map[string]string{
		"other files":    {"x/1.yml": prod, "y.yaml": team},
		"other order":    {"all.yaml": prod + "---\n" + team},
		"comments":       {"all.yaml": "# hello\n" + team + "# more\n---\n" + strings.ReplaceAll(prod, "\n", " # x\n")},
		"order of keys":  {"all.yaml": team + "---\n" + document(config.KindPolicy, "prod", "  behavior: Inform\n  signers:\n    - \"team\"\n  images:\n    - docker.io/acme/**\n")},
		"file unrelated": {"all.yaml": team + "---\n" + prod, "notes.txt": "x"},
	}
	for name, files := range same {
		if got := load(nil, files); got != base {
			t.Errorf("%s: got revision %s, want %s", name, got, base)
		}
	}
	if got := load(func(s *config.Settings) { s.Listen = "127.0.0.1:1"; s.VerifiedTTL++ }, map[string]string{"a.yaml": team + "---\n" + prod}); got != base {
		t.Errorf("a setting that decides nothing: got revision %s, want %s", got, base)
	}

	other := map[string]string{
		"another key":      load(nil, map[string]string{"a.yaml": integration("team", newKey(t)) + "---\n" + prod}),
		"another behavior": load(nil, map[string]string{"a.yaml": team + "---\n" + imagePolicy("prod", "team", "InformAndEnforce")}),
		"another document": load(nil, map[string]string{"a.yaml": team + "---\n" + prod + "---\n" + document(config.KindRegistry, "r.example.com", "  {}\n")}),
		"a setting":        load(func(s *config.Settings) { s.WhenNoPolicy = "Deny" }, map[string]string{"a.yaml": team + "---\n" + prod}),
		"the default":      load(func(s *config.Settings) { s.DefaultRegistry = "ghcr.io" }, map[string]string{"a.yaml": team + "---\n" + prod}),
	}
	for name, got := range other {
		if got == base {
			t.Errorf("%s: the revision did not change", name)
		}
	}
}
