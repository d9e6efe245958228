package main

import (
	"slices"
	"strings"
	"testing"
)

// later is what the contract has and this build has not, as a user would write
// it. Each must be refused by name; what is built leaves the list.
var later = []struct{ line, says string }{
	{"serve --database-url=postgres://db", "--database-url"},
	{"serve --storage-url s3://bucket", "--storage-url"},
	{"serve --storage-limit 1GiB", "--storage-limit"},
	{"serve --console-listen :8080", "--console-listen"},
}

// program runs a command line in this process.
func program(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	code = run(t.Context(), args, strings.NewReader(""), &out, &err, environ)
	return code, out.String(), err.String()
}

func TestWhatIsNotBuiltIsRefusedByName(t *testing.T) {
	for _, tc := range later {
		t.Run(tc.line, func(t *testing.T) {
			code, stdout, stderr := program(t, nil, strings.Fields(strings.ReplaceAll(tc.line, "IMAGE", "acme.test/api:1"))...)
			if want := tc.says + ": not supported yet"; code != exitUsage || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, said %q, want %q", code, stderr, want)
			}
			if stdout != "" {
				t.Errorf("printed %q", stdout)
			}
		})
	}
}

// The same settings, in the environment, whatever the command.
func TestWhatIsNotBuiltIsRefusedInTheEnvironment(t *testing.T) {
	for _, flag := range laterServeFlags() {
		variable := "VOUCHSAFE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		want := variable + ": not supported yet"
		if code, _, stderr := program(t, []string{variable + "=x"}, "config", "validate"); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, said %q", variable, code, stderr)
		}
	}
}

func TestEverythingRefusedIsInTheTable(t *testing.T) {
	listed := func(what string) bool {
		return slices.ContainsFunc(later, func(row struct{ line, says string }) bool { return row.says == what })
	}
	for _, name := range laterServeFlags() {
		if !listed("--" + name) {
			t.Errorf("--%s is in no line of the table", name)
		}
	}
}

func TestHelpDoesNotShowWhatIsNotBuilt(t *testing.T) {
	var help strings.Builder
	for _, line := range []string{"--help", "serve --help", "verify --help", "check --help", "image scan --help", "config --help"} {
		code, stdout, stderr := program(t, nil, strings.Fields(line)...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s: exit code %d, said %q", line, code, stderr)
		}
		help.WriteString(stdout)
	}
	words := strings.FieldsFunc(help.String(), func(r rune) bool { return strings.ContainsRune(" \n\t,.:;()[]", r) })
	for _, name := range laterServeFlags() {
		if slices.Contains(words, "--"+name) {
			t.Errorf("help shows --%s", name)
		}
	}
	if strings.Contains(help.String(), "not supported yet") {
		t.Error("help speaks of what is not built")
	}
}
