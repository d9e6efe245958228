package sigstore_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

const (
	signingPage = "../../docs/signing.md"
	// pageFolder is where the page's documents lie.
	pageFolder = "config.d"
	// pageDigest is how the page writes the digest of an image.
	pageDigest = "sha256:…"
)

// example is a fenced block of the page. What follows the language on the opening
// fence says what it is for:
//
//	sh run=WAY            the commands that sign, by cosign 2 and by cosign 3
//	sh run=WAY with=3     the same for cosign 3 alone
//	yaml trust=WAY        the document, config.d/WAY.yaml
//	yaml trust            a document that every way has
//	console shows=WAY     "$ COMMAND" and what it prints, after each of the
//	                      programs that run has signed; with=3 as above
//
// Blocks without any of these are not run.
type example struct {
	fence string
	marks map[string]string
	text  string
}

// examples returns the blocks of a page that are marked.
func examples(page string) []example {
	var all []example
	for _, found := range regexp.MustCompile("(?ms)^(```[a-z]+ ([^\n]+)\n)(.*?)^```$").FindAllStringSubmatch(page, -1) {
		marks := map[string]string{}
		for mark := range strings.FieldsSeq(found[2]) {
			name, value, _ := strings.Cut(mark, "=")
			marks[name] = value
		}
		all = append(all, example{fence: found[1], marks: marks, text: found[3]})
	}
	return all
}

// of returns the blocks with a mark for a way that are for a program.
func of(all []example, mark, way, program string) []example {
	var found []example
	for _, one := range all {
		value, marked := one.marks[mark]
		with, some := one.marks["with"]
		if marked && value == way && (!some || strings.HasSuffix(program, with)) {
			found = append(found, one)
		}
	}
	return found
}

// testPage does what docs/signing.md tells people to do, with both programs, and
// compares what is printed with what the page shows.
func (g *gallery) testPage(t *testing.T) {
	text, err := os.ReadFile(signingPage)
	if err != nil {
		t.Fatal(err)
	}
	all := examples(string(text))
	ways := g.ways()
	for _, one := range all {
		for _, mark := range []string{"run", "trust", "shows"} {
			if way := one.marks[mark]; way != "" && ways[way] == nil {
				t.Errorf("the page has a block for %q, which nobody knows how to play", way)
			}
		}
	}
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		for _, program := range []string{"cosign2", "cosign3"} {
			t.Run(way+" by "+program, func(t *testing.T) {
				run, trust, shows := of(all, "run", way, program), of(all, "trust", way, program), of(all, "shows", way, program)
				if len(run) == 0 || len(trust) == 0 || len(shows) == 0 {
					t.Fatalf("the page has %d blocks of commands, %d documents and shows %d results", len(run), len(trust), len(shows))
				}
				s := g.newScene(t, way, program, ways[way])
				for _, one := range run {
					s.must(t, s.signs.apply(one.text))
				}
				for i, one := range append(of(all, "trust", "", program), trust...) {
					s.write(t, filepath.Join(pageFolder, string(rune('a'+i))+".yaml"), s.trusts.apply(one.text))
				}
				for _, one := range shows {
					s.check(t, one)
				}
			})
		}
	}
}

// scene is a folder in which a page's commands are run.
type scene struct {
	folder string
	image  origin.Image
	// environment is added to that of the commands.
	environment []string
	// signs is what is another in the commands, trusts what in the documents.
	signs, trusts table
	// shown is what the page has in the place of what is printed here.
	shown table
}

// newScene pushes an image and prepares a folder for a way to sign it.
func (g *gallery) newScene(t *testing.T, way, program string, prepare func(*testing.T, *scene, string)) *scene {
	t.Helper()
	s := &scene{folder: t.TempDir(), image: g.at.Push(t, "acme/api", way+"-"+program)}
	for _, folder := range []string{"bin", pageFolder} {
		if err := os.Mkdir(filepath.Join(s.folder, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, path := range map[string]string{"cosign": tool.Path(program), "vouchsafe": tool.Path("vouchsafe")} {
		if err := os.Symlink(path, filepath.Join(s.folder, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	s.environment = []string{
		"PATH=" + filepath.Join(s.folder, "bin") + ":" + os.Getenv("PATH"),
		"COSIGN_YES=false", // what has to be confirmed, the page has to say
	}
	s.write(t, rootFile, g.root)
	s.write(t, filepath.Join(pageFolder, rootFile), g.root)
	g.substitute(t, s)
	prepare(t, s, program)
	return s
}

func (s *scene) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run runs commands in the scene's folder, as a shell does that ends at the first
// that fails.
func (s *scene) run(t *testing.T, commands string) tool.Output {
	t.Helper()
	return tool.Run(t, s.environment, "/bin/sh", "-euc", "cd "+s.folder+"\n"+commands)
}

func (s *scene) must(t *testing.T, commands string) {
	t.Helper()
	if out := s.run(t, commands); out.Code != 0 {
		t.Fatalf("a command of the page failed, exit %d:\n%s\n%s", out.Code, commands, out.All())
	}
}

// check runs the one command of a block and compares what it prints. With
// UPDATE_GOLDEN=1 it is written to the page first.
func (s *scene) check(t *testing.T, block example) {
	t.Helper()
	command, want, _ := strings.Cut(strings.TrimPrefix(block.text, "$ "), "\n")
	out := s.run(t, strings.ReplaceAll(command, pageDigest, s.image.Digest))
	got := settled(s.shown.apply(out.Stdout))
	if os.Getenv("UPDATE_GOLDEN") != "" {
		rewrite(t, block, "$ "+command+"\n"+aligned(got))
		want = got
	}
	if diff := cmp.Diff(packed(want), packed(got)); diff != "" {
		t.Errorf("the page (-) and %q (+) differ (UPDATE_GOLDEN=1 writes it):\n%s", command, diff)
	}
	if out.Code != 0 {
		t.Errorf("%q ended with %d", command, out.Code)
	}
}

// rewrite replaces a block of the page.
func rewrite(t *testing.T, block example, by string) {
	t.Helper()
	page, err := os.ReadFile(signingPage)
	if err != nil {
		t.Fatal(err)
	}
	// What follows the fence may have been rewritten after the other program.
	before, after, _ := strings.Cut(string(page), block.fence)
	end := strings.Index(after, "```")
	if err := os.WriteFile(signingPage, []byte(before+block.fence+by+after[end:]), 0o600); err != nil {
		t.Fatal(err)
	}
}

// settled is a text with one word for each thing that differs from run to run:
// digests and fingerprints, times, and where in a log an entry is.
func settled(text string) string {
	for _, one := range []struct{ what, word string }{
		{`[0-9a-f]{64}`, "…"},
		{`sha256:[0-9a-f]{12}…`, pageDigest},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "2026-05-04T09:30:00Z"},
		{`("notAfter": "[^"]*):30:`, "${1}:40:"},
		{`("(?:logIndex|treeSize)": )\d+`, "${1}1234"},
		{`("integratedTime": )\d+`, "${1}1777887000"},
		{`("checkpoint": )"[^"]*"`, `${1}"…"`},
		{`("hashes": )\[[^\]]*\]`, `${1}["…"]`},
	} {
		text = regexp.MustCompile(one.what).ReplaceAllString(text, one.word)
	}
	return text
}

var gap = regexp.MustCompile(` {2,}`)

// packed is a text without how far its columns are apart.
func packed(text string) string { return strings.TrimSpace(gap.ReplaceAllString(text, "  ")) }

// aligned is a table whose columns are as wide as what is in them; other text is
// left as it is.
func aligned(table string) string {
	if !strings.HasPrefix(table, "IMAGE") {
		return table
	}
	var rows [][]string
	var widths []int
	for line := range strings.Lines(table) {
		row := gap.Split(strings.TrimSpace(line), -1)
		rows = append(rows, row)
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(row[len(row)-1] + "\n")
	}
	return b.String()
}
