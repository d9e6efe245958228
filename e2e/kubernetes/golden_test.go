package kubernetes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/tool"
)

// words are what people see, as testdata/words.golden has it: a command and what
// it printed. UPDATE=1 writes the file anew.
type words struct {
	file string
	want map[string]string // what no test has compared yet
	got  []string          // in the order of the tests
}

func openWords(t *testing.T) *words {
	t.Helper()
	g := &words{file: filepath.Join("testdata", "words.golden"), want: map[string]string{}}
	text, err := os.ReadFile(g.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for section := range strings.SplitSeq("\n"+strings.TrimSpace(string(text)), "\n$ ") {
		if title, body, _ := strings.Cut(section, "\n"); title != "" {
			g.want[title] = strings.TrimSpace(body)
		}
	}
	t.Cleanup(func() { g.close(t) })
	return g
}

// check compares what a command printed. note tells apart commands that are the
// same.
func (g *words) check(t *testing.T, note, command, text string) {
	t.Helper()
	title, text := command, strings.TrimSpace(steady(text))
	if note != "" {
		title += "    # " + note
	}
	g.got = append(g.got, fmt.Sprintf("$ %s\n%s\n", title, text))
	want := g.want[title]
	delete(g.want, title)
	if text != want && os.Getenv("UPDATE") == "" {
		t.Errorf("%s\n got:\n%s\nwant:\n%s\n(UPDATE=1 writes %s anew)", title, text, want, g.file)
	}
}

// kubectl runs kubectl in a namespace and compares what it prints. Arguments
// that are files are shown by their last name.
func (g *words) kubectl(t *testing.T, note, namespace string, args ...string) tool.Output {
	t.Helper()
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = arg
		if filepath.IsAbs(arg) {
			shown[i] = filepath.Base(arg)
		}
	}
	out := cluster.Kubectl(t, append([]string{"--namespace", namespace}, args...)...)
	text := out.All()
	for _, arg := range args {
		if filepath.IsAbs(arg) {
			text = strings.ReplaceAll(text, arg, filepath.Base(arg))
		}
	}
	g.check(t, note, "kubectl "+strings.Join(shown, " "), text)
	return out
}

// close writes the file where that is asked for, else demands that nothing was
// left out.
func (g *words) close(t *testing.T) {
	if os.Getenv("UPDATE") == "" {
		for title := range g.want {
			if !t.Failed() {
				t.Errorf("%s has a command that is no test's: %s", g.file, title)
			}
		}
		return
	}
	if err := os.WriteFile(g.file, []byte(strings.Join(g.got, "\n")), 0o600); err != nil {
		t.Error(err)
	}
}

// volatile is what differs from run to run, and what stands for it. The order
// counts.
var volatile = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:DIGEST"},
	{regexp.MustCompile(`sha256:[0-9a-f]{4,12}…`), "sha256:DIGEST…"},
	{regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`), "DECISION"},
	{regexp.MustCompile(`(127\.0\.0\.1|10\.99\.0\.10):\d{4,5}`), "ADDRESS"},
	{regexp.MustCompile(`(debugger|app)-[a-z0-9]{5,10}(-[a-z0-9]{5})?`), "$1-SUFFIX"},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
}

// steady returns a text with nothing volatile in it.
func steady(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.stands)
	}
	return text
}
