package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vouchsafe/config"
)

// TestMistakes holds what people get wrong against the message that each gets.
// An archive holds a folder; "env" and "flags" are settings, "links" symlinks,
// "want" the message.
func TestMistakes(t *testing.T) {
	names, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(names) < 30 {
		t.Fatalf("found %d archives: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := mistake(t, archive)
			if os.Getenv("UPDATE_GOLDEN") == "1" {
				updateWant(t, name, archive, got)
			}
			if diff := cmp.Diff(want(archive), got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			for _, secret := range []string{"hunter2", "bm90IGEg"} {
				if strings.Contains(got, secret) {
					t.Errorf("the message holds a secret: %s", got)
				}
			}
		})
	}
}

// mistake does what a process that serves does, and returns the message.
func mistake(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	var environ []string
	flags := map[string]string{}
	for _, f := range archive.Files {
		lines := strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		switch f.Name {
		case "want":
		case "env":
			environ = lines
		case "flags":
			for _, line := range lines {
				flag, value, _ := strings.Cut(line, "=")
				flags[flag] = value
			}
		case "links":
			for _, line := range lines {
				from, to, _ := strings.Cut(line, " -> ")
				link(t, to, filepath.Join(dir, from))
			}
		default:
			write(t, filepath.Join(dir, f.Name), string(f.Data))
		}
	}
	settings, err := config.LoadSettings(environ, flags)
	if err != nil {
		return err.Error() + "\n"
	}
	settings.ConfigDir = dir
	_, err = config.NewStore(config.LoadOptions{Settings: settings}, config.StoreConfig{})
	if err == nil {
		return "no mistake was found\n"
	}
	if _, ok := errors.AsType[config.Problems](err); !ok {
		t.Errorf("got %T, want config.Problems", err)
	}
	return err.Error() + "\n"
}

func want(archive *txtar.Archive) string {
	for _, f := range archive.Files {
		if f.Name == "want" {
			return string(f.Data)
		}
	}
	return ""
}

func updateWant(t *testing.T, name string, archive *txtar.Archive, got string) {
	t.Helper()
	for i := range archive.Files {
		if archive.Files[i].Name == "want" {
			archive.Files[i].Data = []byte(got)
		}
	}
	if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}
