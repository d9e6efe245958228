package main

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/policy"
	"vouchsafe/verify"
)

func TestWrap(t *testing.T) {
	words := strings.Repeat("word ", 60)
	for name, tc := range map[string]struct {
		text  string
		lines int
	}{
		"a short line stays":              {"a b", 1},
		"a long one breaks at spaces":     {words, 4},
		"a word that is too long is kept": {strings.Repeat("x", 300), 1},
		"commas break too":                {strings.Repeat("field,", 40), 3},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(wrap(" 1  ", "    ", tc.text), "\n")
			if len(lines) != tc.lines {
				t.Errorf("%d lines, want %d: %q", len(lines), tc.lines, lines)
			}
			joined := ""
			for i, line := range lines {
				if n := utf8.RuneCountInString(line); n > demoWidth && strings.ContainsAny(strings.TrimSpace(line[4:]), " ,") {
					t.Errorf("line %d has %d columns", i, n)
				}
				joined += line[4:]
			}
			strip := strings.NewReplacer(" ", "")
			if strip.Replace(joined) != strip.Replace(tc.text) {
				t.Errorf("text was lost: %q", joined)
			}
		})
	}
}

// demoOutput is what a demo prints that ends by itself.
func demoOutput(t *testing.T) string {
	t.Helper()
	code, stdout, stderr := program(t, nil, "demo", "--script")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	return stdout
}

func TestDemoIsNarrow(t *testing.T) {
	for line := range strings.Lines(demoOutput(t)) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > demoWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestReadmeShowsWhatTheDemoPrints compares all but what differs from run to run.
// UPDATE_GOLDEN=1 writes what is printed into README.md.
func TestReadmeShowsWhatTheDemoPrints(t *testing.T) {
	const file, begin, end = "../../README.md", "prints:\n\n```text\n", "```\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	shown, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("README.md shows no output")
	}
	printed := demoOutput(t)
	diff := cmp.Diff(masked(shown), masked(printed))
	switch {
	case diff == "":
	case os.Getenv("UPDATE_GOLDEN") != "":
		if err := os.WriteFile(file, []byte(before+begin+printed+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md (-shown +printed):\n%s", diff)
	}
}

// TestEachWayOfSigningIsServedAndRefused: none of the ways of signing can be lost
// from the demo, nor any reason that it is to show.
func TestEachWayOfSigningIsServedAndRefused(t *testing.T) {
	w, err := newWorld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.registry.Close()
	served, refused := map[string]int{}, map[string]int{}
	reasons := map[string]bool{}
	for _, p := range w.pulls {
		if p.verdict == policy.Allow {
			served[p.way]++
		}
		if p.verdict == policy.Deny {
			refused[p.way]++
		}
		reasons[p.reason] = true
	}
	if len(served) != 4 {
		t.Errorf("got %d ways that are served, want 4: %v", len(served), served)
	}
	for way := range served {
		if refused[way] == 0 {
			t.Errorf("%s: nothing is refused", way)
		}
	}
	for _, want := range []verify.Reason{
		verify.KeyMismatch, verify.DigestMismatch, verify.IdentityMismatch, verify.ChainInvalid, verify.TlogMissing,
	} {
		if !reasons[string(want)] {
			t.Errorf("no pull ends with %s", want)
		}
	}
}

// TestTheDemoNamesBothIdentities: who signed and who was wanted.
func TestTheDemoNamesBothIdentities(t *testing.T) {
	out := strings.Join(strings.Fields(demoOutput(t)), " ")
	want := `found "https://ci.acme.test/release.yml@refs/heads/dev", wanted "` + demoWorkflow + `"`
	if !strings.Contains(out, want) {
		t.Errorf("does not say %s: %s", want, out)
	}
}

// TestADemoThatEndsOtherwiseFails: each expectation is held against what came.
func TestADemoThatEndsOtherwiseFails(t *testing.T) {
	right := pull{repository: "acme.test/api", reference: "1.0", status: 403, verdict: policy.Deny, reason: "CHAIN_INVALID"}
	for name, o := range map[string]outcome{
		"it is served":                 {status: 200, verdict: "Allow"},
		"it is refused for another":    {status: 403, verdict: "Deny", reason: "KEY_MISMATCH"},
		"nobody could tell":            {status: 503, verdict: "Unavailable", reason: "CHAIN_INVALID"},
		"nothing was decided about it": {status: 404, reason: "NAME_UNKNOWN"},
	} {
		if err := right.compare(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if err := right.compare(outcome{status: 403, verdict: "Deny", reason: "CHAIN_INVALID"}); err != nil {
		t.Error(err)
	}
}
