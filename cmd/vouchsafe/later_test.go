package main

import (
	"slices"
	"strings"
	"testing"
)

// later is what the contract has and this build has not, as a user would write
// it. Each must be refused by name; what is built leaves the list.
var later = []struct{ line, says string }{
	{"client-config containerd --gateway http://gateway.test", "client-config"},
	{"doctor node --root /", "doctor"},
	{"doctor --help", "doctor"},
	{"serve --data-dir ./data", "--data-dir"},
	{"serve --database-url=postgres://db", "--database-url"},
	{"serve --storage-url s3://bucket", "--storage-url"},
	{"serve --storage-limit 1GiB", "--storage-limit"},
	{"serve --webhook-listen :8443", "--webhook-listen"},
	{"serve --webhook-tls-cert-file a", "--webhook-tls-cert-file"},
	{"serve --webhook-tls-key-file a", "--webhook-tls-key-file"},
	{"serve --webhook-secret a/b", "--webhook-secret"},
	{"serve --webhook-configurations a", "--webhook-configurations"},
	{"serve --webhook-client-ca-file a", "--webhook-client-ca-file"},
	{"serve --console-listen :8080", "--console-listen"},
	{"serve --pin Never", "--pin"},
	{"serve --watch-pods All", "--watch-pods"},
	{"serve --node-name a", "--node-name"},
	{"serve --cluster a", "--cluster"},
	{"serve --contact-registries=false", "--contact-registries"},
	{"serve --listen off", "--listen: off is"},
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
			says := tc.says
			if !strings.HasSuffix(says, " is") {
				says += ":"
			}
			if want := says + " not supported yet"; code != exitUsage || !strings.Contains(stderr, want) {
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
	for _, name := range laterCommands {
		if !listed(name) {
			t.Errorf("%s is in no line of the table", name)
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
	for _, name := range laterCommands {
		if slices.Contains(words, name) {
			t.Errorf("help shows %s", name)
		}
	}
	if strings.Contains(help.String(), "not supported yet") {
		t.Error("help speaks of what is not built")
	}
	if code, stdout, stderr := program(t, nil, "help", "doctor"); stdout != "" || !strings.Contains(stderr, "doctor: not supported yet") {
		t.Errorf("help doctor: exit code %d, printed %q, said %q", code, stdout, stderr)
	}
}
