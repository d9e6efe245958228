package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompletionOfValues(t *testing.T) {
	dir := t.TempDir()
	document := "apiVersion: vouchsafe.dev/v1alpha1\nkind: SignatureIntegration\nmetadata: {name: release-team}\nspec:\n  publicKeys:\n    - name: k\n      key: |\n" +
		"        -----BEGIN PUBLIC KEY-----\n        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n        -----END PUBLIC KEY-----\n"
	if err := os.WriteFile(filepath.Join(dir, "team.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "a.yaml"), []byte("kind: Nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"verify -o ":                        "table wide json yaml sarif junit :4",
		"check --output ":                   "table wide json yaml sarif junit :4",
		"version -o ":                       "table wide json yaml :4",
		"check --fail-on ":                  "deny warn :4",
		"check --audit ":                    "file: :4",
		"completion ":                       "bash zsh fish powershell :4",
		"verify ":                           ":4",
		"verify --layout ":                  ":16",
		"verify --certificate-identity ":    ":4",
		"verify --certificate-oidc-issuer ": strings.Join(publicIssuers, " ") + " :4",
		"verify --certificate-chain ":       ":0",
		"verify-bundle --bundle ":           ":0",
		"verify --config-dir " + dir + " --integration ":    "release-team :4",
		"verify --config-dir " + broken + " --integration ": ":4",
		"serve --log-level ":                                "debug info warn error :4",
		"serve --when-no-policy ":                           "Allow Deny :4",
		"serve --log-format ":                               "text json :4",
	} {
		t.Run(line, func(t *testing.T) {
			args := append([]string{"__complete"}, strings.Split(line, " ")...)
			code, stdout, stderr := program(t, nil, args...)
			if got := strings.Join(strings.Fields(stdout), " "); code != exitOK || got != want {
				t.Errorf("got %q, exit code %d, %s, want %q", got, code, stderr, want)
			}
		})
	}
}

func TestCompletionDoesNotShowWhatIsNotBuilt(t *testing.T) {
	_, stdout, _ := program(t, nil, "__complete", "verify", "--")
	if !strings.Contains(stdout, "--all-platforms") {
		t.Errorf("got %q", stdout)
	}
	_, stdout, _ = program(t, nil, "__complete", "serve", "--")
	for _, name := range laterServeFlags() {
		if slices.Contains(strings.Fields(stdout), "--"+name) {
			t.Errorf("completion shows --%s", name)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range shells {
		code, stdout, stderr := program(t, nil, "completion", shell)
		if code != exitOK || !strings.Contains(stdout, "vouchsafe") || stderr != "" {
			t.Errorf("%s: exit code %d, %s", shell, code, stderr)
		}
	}
	for _, line := range []string{"completion", "completion tcsh", "completion bash zsh"} {
		if code, stdout, _ := program(t, nil, strings.Fields(line)...); code != exitUsage || stdout != "" {
			t.Errorf("%s: exit code %d", line, code)
		}
	}
}

// TestCompletionInBash sources the script in a real bash and asks as the Tab key
// does. What the package bash-completion and the Tab key bring is written here in three lines.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is the program when it goes by the program's name.
	if err := os.Symlink(program, filepath.Join(dir, "vouchsafe")); err != nil {
		t.Fatal(err)
	}
	script := `
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }
__ltrim_colon_completions() { :; }
compopt() { :; }
source <(vouchsafe completion bash)
complete -p vouchsafe
COMP_WORDS=(vouchsafe check --fail-on w); COMP_CWORD=3; COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
__start_vouchsafe
echo "completed: ${COMPREPLY[*]}"
`
	cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", script)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "completed: warn") || !strings.Contains(string(out), "-F __start_vouchsafe vouchsafe") {
		t.Errorf("%v: %s", err, out)
	}
}
