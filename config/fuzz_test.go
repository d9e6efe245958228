package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"vouchsafe/config"
)

// FuzzDocuments: whatever a file holds, loading ends with a snapshot or with
// problems that point into the file.
func FuzzDocuments(f *testing.F) {
	names, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(file.Data)
			}
		}
	}
	settings := defaults(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		name := filepath.Join(dir, "a.yaml")
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
		snapshot, err := config.Load(dir, config.LoadOptions{Settings: settings})
		if err == nil {
			if snapshot.Revision == "" || snapshot.Rules.Revision != snapshot.Revision {
				t.Error("a snapshot without revision")
			}
			return
		}
		problems, ok := errors.AsType[config.Problems](err)
		if !ok || problems.Mistakes() == 0 {
			t.Fatalf("got %v", err)
		}
		lines := strings.Count(string(body), "\n") + 1
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines || p.Column < 0 || p.Message == "" || p.File != "a.yaml" {
				t.Errorf("got %+v in a file of %d lines", p, lines)
			}
		}
		if text := err.Error(); !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x1b\r") {
			t.Errorf("the message is not plain text: %q", text)
		}
	})
}
