// Package cosign signs images with the real programs, in every layout that
// they write with a key.
package cosign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// Layout is a program and how it is told to store a signature.
type Layout struct {
	// Name says both, for the names of tests.
	Name string
	// Bundle reports whether it writes a Sigstore bundle as a referrer; if not,
	// it writes a manifest under the tag sha256-<hex>.sig.
	Bundle bool

	program string
	flags   []string
}

// Layouts returns every layout: cosign 2 and 3, each in both formats. Nothing
// is logged, since there is no log here.
func Layouts() []Layout {
	unlogged := []string{"--tlog-upload=false"}
	return []Layout{
		{Name: "cosign 2 tag", program: "cosign2", flags: unlogged},
		{Name: "cosign 2 bundle", Bundle: true, program: "cosign2", flags: append(unlogged, "--new-bundle-format")},
		{Name: "cosign 3 tag", program: "cosign3", flags: append(unlogged, "--new-bundle-format=false", "--use-signing-config=false")},
		{Name: "cosign 3 bundle", Bundle: true, program: "cosign3", flags: []string{"--signing-config", "none.json"}},
	}
}

// Key is a key pair that cosign made.
type Key struct {
	// Public is the file with the public key in PEM.
	Public string

	folder string
}

// NewKey makes a key pair with the program of the layout.
func NewKey(tb testing.TB, layout Layout) *Key {
	tb.Helper()
	k := &Key{folder: tb.TempDir()}
	k.Public = filepath.Join(k.folder, "key.pub")
	tool.MustRun(tb, nil, tool.Path(layout.program), "generate-key-pair", "--output-key-prefix", filepath.Join(k.folder, "key"))
	// A signing configuration that names no service, so that cosign 3 logs
	// nothing, and a trusted root without authorities, which it wants to be given
	// even when nothing of it is used.
	tool.MustRun(tb, nil, tool.Path("cosign3"), "signing-config", "create", "--out", filepath.Join(k.folder, "none.json"))
	tool.MustRun(tb, nil, tool.Path("cosign3"), "trusted-root", "create", "--out", filepath.Join(k.folder, "root.json"))
	return k
}

// PEM returns the public key.
func (k *Key) PEM(tb testing.TB) string {
	tb.Helper()
	pem, err := os.ReadFile(k.Public)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem)
}

// Sign signs the image, by its digest, where it was pushed. More flags may say
// more, as "--recursive" for an index with all that it lists.
func (k *Key) Sign(tb testing.TB, at *origin.Registry, image origin.Image, layout Layout, more ...string) {
	tb.Helper()
	k.sign(tb, at.PusherEnv(tb), image, layout, more...)
}

// SignInto is Sign, with the signature in another repository, "host/path", as far
// as the program heeds that: cosign 2 writes bundles beside the image.
func (k *Key) SignInto(tb testing.TB, repository string, image origin.Image, layout Layout) {
	tb.Helper()
	k.sign(tb, []string{"COSIGN_REPOSITORY=" + repository}, image, layout)
}

func (k *Key) sign(tb testing.TB, env []string, image origin.Image, layout Layout, more ...string) {
	tb.Helper()
	args := []string{"sign", "--allow-http-registry", "--key", filepath.Join(k.folder, "key.key")}
	for _, flag := range layout.flags {
		args = append(args, strings.Replace(flag, "none.json", filepath.Join(k.folder, "none.json"), 1))
	}
	args = append(append(args, more...), image.ByDigest())
	tool.MustRun(tb, env, tool.Path(layout.program), args...)
}

// Attest adds an attestation, which is no signature, as a bundle.
func (k *Key) Attest(tb testing.TB, at *origin.Registry, image origin.Image, layout Layout) {
	tb.Helper()
	predicate := filepath.Join(tb.TempDir(), "predicate.json")
	if err := os.WriteFile(predicate, []byte(`{"buildDefinition":{"buildType":"https://example.com/build/v1"},"runDetails":{"builder":{"id":"https://example.com/builder"}}}`), 0o600); err != nil {
		tb.Fatal(err)
	}
	tool.MustRun(tb, at.PusherEnv(tb), tool.Path(layout.program), "attest", "--allow-http-registry",
		"--key", filepath.Join(k.folder, "key.key"), "--signing-config", filepath.Join(k.folder, "none.json"),
		"--type", "slsaprovenance1", "--predicate", predicate, image.ByDigest())
}

// Verify verifies an image by its full name with the program of the layout.
func (k *Key) Verify(tb testing.TB, layout Layout, name string) tool.Output {
	tb.Helper()
	args := []string{"verify", "--allow-http-registry", "--key", k.Public, "--insecure-ignore-tlog=true"}
	if layout.program == "cosign2" && layout.Bundle {
		args = append(args, "--new-bundle-format")
	}
	args = append(args, "--trusted-root", filepath.Join(k.folder, "root.json"), name)
	return tool.Run(tb, nil, tool.Path(layout.program), args...)
}
