package clients_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// golden is a file of testdata: sections of a name and a text.
type golden struct {
	file string
	want map[string]string // what no test has compared yet
	got  []string          // in the order of the tests
}

func openGolden(t *testing.T, name string) *golden {
	t.Helper()
	g := &golden{file: filepath.Join("testdata", name+".golden"), want: map[string]string{}}
	text, err := os.ReadFile(g.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for section := range strings.SplitSeq("\n"+strings.TrimSpace(string(text)), "\n== ") {
		if title, body, _ := strings.Cut(section, "\n"); title != "" {
			g.want[title] = strings.TrimSpace(body)
		}
	}
	t.Cleanup(func() { g.close(t) })
	return g
}

// check compares a section.
func (g *golden) check(t *testing.T, title, text string) {
	t.Helper()
	text = strings.TrimSpace(text)
	g.got = append(g.got, fmt.Sprintf("== %s\n%s\n", title, text))
	want := g.want[title]
	delete(g.want, title)
	if text != want && os.Getenv("UPDATE") == "" {
		t.Errorf("%s of %s (UPDATE=1 writes it anew)\n got:\n%s\nwant:\n%s", title, g.file, text, want)
	}
}

// close writes the file where that is asked for, else demands that no section
// was left out.
func (g *golden) close(t *testing.T) {
	if os.Getenv("UPDATE") == "" {
		for title := range g.want {
			if !t.Failed() {
				t.Errorf("%s has a section that is no test's: %s", g.file, title)
			}
		}
		return
	}
	if err := os.WriteFile(g.file, []byte(strings.Join(g.got, "\n")), 0o600); err != nil {
		t.Error(err)
	}
}

// volatile is what differs from run to run, and what stands for it in a golden
// file. The order counts.
var volatile = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`[0-9a-f]{64}`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`), "DECISION"},
	{regexp.MustCompile(`time="[^"]*"`), "time=TIME"},
	{regexp.MustCompile(`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`/storage\d+/`), "/storageNUMBER/"},
	{regexp.MustCompile(`expected \d+ bytes but got \d+`), "expected SIZE bytes but got SIZE"},
	{regexp.MustCompile(`127\.0\.0\.1:\d{4,5}`), "127.0.0.1:PORT"},
}

// steady returns a text with nothing volatile in it; names are pairs of a text
// and what stands for it.
func steady(text string, names ...string) string {
	text = strings.NewReplacer(names...).Replace(text)
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.stands)
	}
	return text
}
