package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/config"
)

func TestTheReferenceIsFresh(t *testing.T) {
	const name = "../docs/configuration.md"
	got := config.Markdown()
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run with UPDATE_GOLDEN=1 (-file +types):\n%s", diff)
	}
}

func TestTheExamplesOfTheReferenceLoad(t *testing.T) {
	dir := t.TempDir()
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(config.Markdown()), -1)
	if len(examples) != 3 {
		t.Fatalf("got %d examples", len(examples))
	}
	var all []string
	for _, example := range examples {
		all = append(all, example[1])
	}
	write(t, filepath.Join(dir, "all.yaml"), strings.Join(all, "---\n"))
	if s := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)}); len(s.Warnings) > 0 {
		t.Errorf("got warnings %v", s.Warnings)
	}
}
