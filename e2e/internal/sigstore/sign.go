package sigstore

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// The programs that sign.
const (
	Cosign2 = "cosign2"
	Cosign3 = "cosign3"
)

// Rekor is which log a signature goes to.
type Rekor int

// Unlogged is no log at all.
const (
	Unlogged Rekor = 0
	RekorV1  Rekor = 1
	RekorV2  Rekor = 2
)

// Form is how an image is signed, but for who signs.
type Form struct {
	// Program is [Cosign2] or [Cosign3].
	Program string
	// Bundle makes a Sigstore bundle, which is kept as a referrer; otherwise the
	// signature is a layer under the tag sha256-<hex>.sig. Cosign 2 makes no
	// bundles here.
	Bundle bool
	Rekor  Rekor
	// Stamped asks for a timestamp. A logged bundle always has one.
	Stamped bool
	// Recursive signs what an index lists too.
	Recursive bool
	// Attest adds provenance instead of a signature.
	Attest bool
}

// Signatory is who signs: the flags that say so.
type Signatory []string

// Key is a key pair that cosign made.
type Key struct {
	Signatory
	// Public is the public key in PEM.
	Public string
}

// NewKey has cosign make a key pair.
func NewKey(tb testing.TB) Key {
	tb.Helper()
	prefix := filepath.Join(tb.TempDir(), "key")
	tool.MustRun(tb, nil, tool.Path(Cosign2), "generate-key-pair", "--output-key-prefix", prefix)
	public, err := os.ReadFile(prefix + ".pub") //nolint:gosec // made just now
	check(tb, err)
	return Key{Signatory{"--key", prefix + ".key"}, string(public)}
}

// Holder is whoever holds the key of a certificate. As Signatory he shows the
// certificate with those above it.
type Holder struct {
	Signatory
	// Alone shows the certificate alone.
	Alone Signatory
}

// Hold gives the key of a certificate to cosign.
func Hold(tb testing.TB, c *Certificate) Holder {
	tb.Helper()
	folder := tb.TempDir()
	prefix := filepath.Join(folder, "key")
	tool.MustRun(tb, nil, tool.Path(Cosign2), "import-key-pair", "--output-key-prefix", prefix,
		"--key", file(tb, folder, "plain.key", privatePEM(tb, c.key)))
	alone := Signatory{"--key", prefix + ".key", "--certificate", file(tb, folder, "leaf.pem", c.PEM())}
	chain := Signatory{"--certificate-chain", file(tb, folder, "chain.pem", c.issuer.Chain())}
	return Holder{Signatory: slices.Concat(alone, chain), Alone: alone}
}

// Keyless is whoever has a token, and gets a certificate for it. Cosign takes
// none but RS256 on its command line, and any from a file.
func Keyless(tb testing.TB, token string) Signatory {
	tb.Helper()
	return Signatory{"--identity-token", file(tb, tb.TempDir(), "token", token)}
}

// Sign signs an image in a form; more are further flags of the program.
func (s *Stack) Sign(tb testing.TB, at *origin.Registry, image origin.Image, by Signatory, form Form, more ...string) {
	tb.Helper()
	args := []string{"sign"}
	if form.Attest {
		args = []string{"attest", "--type", "slsaprovenance1", "--predicate", file(tb, tb.TempDir(), "predicate.json",
			`{"buildDefinition":{"buildType":"https://example.com/build/v1"},"runDetails":{"builder":{"id":"https://example.com/builder"}}}`)}
	}
	args = append(append(args, "--allow-http-registry"), by...)
	if form.Recursive {
		args = append(args, "--recursive")
	}
	if form.Bundle {
		args = append(args, "--signing-config", s.configs[form.Rekor], "--trusted-root", s.root)
	} else {
		args = append(args, s.serviceFlags(form)...)
	}
	args = append(append(args, more...), image.ByDigest())
	tool.MustRun(tb, append(at.PusherEnv(tb), s.environment...), tool.Path(form.Program), args...)
}

// Services are the flags that have a program sign through the stack, with Rekor
// v1, as it signs through the public instance without them.
func (s *Stack) Services(program string) []string {
	if program == Cosign2 {
		return s.serviceFlags(Form{Program: Cosign2, Rekor: RekorV1})
	}
	return []string{"--signing-config", s.configs[RekorV1], "--trusted-root", s.root}
}

// Environment keeps cosign from asking the public instance for keys.
func (s *Stack) Environment() []string { return s.environment }

// serviceFlags name the services one by one, as the format of the tags has it.
func (s *Stack) serviceFlags(form Form) []string {
	flags := []string{"--fulcio-url", s.FulcioURL, "--rekor-url", s.RekorURL, "--tlog-upload=" + strconv.FormatBool(form.Rekor != Unlogged)}
	if form.Stamped {
		flags = append(flags, "--timestamp-server-url", s.StampURL)
	}
	if form.Program == Cosign3 {
		flags = append(flags, "--new-bundle-format=false", "--use-signing-config=false")
	}
	return flags
}

// Verify verifies an image with one of the programs, trusting this stack; as are
// the flags that say whose signature is wanted.
func (s *Stack) Verify(tb testing.TB, at *origin.Registry, image origin.Image, program string, as ...string) tool.Output {
	tb.Helper()
	args := append([]string{"verify", "--allow-http-registry", "--trusted-root", s.root}, as...)
	return tool.Run(tb, append(at.PusherEnv(tb), s.environment...), tool.Path(program), append(args, image.ByDigest())...)
}
