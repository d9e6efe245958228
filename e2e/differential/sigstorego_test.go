package differential_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// askedProgram names, in the environment, the program that asks sigstore-go.
const askedProgram = "VOUCHSAFE_E2E_SIGSTORE_GO"

// buildAsked builds that program in the product's module, as a package that the
// module has for this one build.
func buildAsked(folder string) error {
	module, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	source, err := filepath.Abs("testdata/sigstorego/main.go")
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(module, "internal", "sigstorego", "main.go"): source}})
	if err != nil {
		return err
	}
	overlay, program := filepath.Join(folder, "overlay.json"), filepath.Join(folder, "sigstorego")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-C", module, "-overlay", overlay, "-o", program, "./internal/sigstorego")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build what asks sigstore-go: %w\n%s", err, out)
	}
	return os.Setenv(askedProgram, program)
}

// question is what the program is asked about a pair.
type question struct {
	Root, Key, Identity, Issuer, Digest string
	Bundle, Payload                     []byte
	Annotations                         map[string]string
	Log, Stamp, SCT                     bool
}

// askSigstoreGo asks sigstore-go about all pairs at once.
func askSigstoreGo(t *testing.T, all []*pair) {
	t.Helper()
	asked := make([]question, len(all))
	for i, p := range all {
		m, spec := p.trust.from, p.trust.spec
		asked[i] = question{
			Root: p.trust.root, Digest: strings.TrimPrefix(digestOf(p.evidence.image), "sha256:"),
			Bundle: p.evidence.bundle, Payload: p.evidence.payload, Annotations: p.evidence.annotations,
			Log: spec["transparencyLog"] != nil, Stamp: spec["timestampAuthority"] != nil,
		}
		if spec["publicKeys"] != nil {
			asked[i].Key = string(readFile(t, m.key))
		} else {
			asked[i].Identity, asked[i].Issuer, asked[i].SCT = m.identity, m.issuer, m.chain == ""
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Getenv(askedProgram))
	cmd.Stdin = strings.NewReader(encode(t, asked))
	out, err := cmd.Output()
	check(t, err)
	answers := decode[[]string](t, out)
	if len(answers) != len(all) {
		t.Fatalf("sigstore-go gave %d answers to %d questions", len(answers), len(all))
	}
	for i, p := range all {
		p.sigstoreGo, p.saidGo = answers[i] == "", answers[i]
	}
}
