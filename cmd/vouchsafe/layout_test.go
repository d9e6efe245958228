package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const savedLayouts = "../../internal/layout/testdata/"

// printed are the fields of -o json that these tests look at.
type printed struct {
	Image, Digest string
	Results       []struct{ Status, InheritedFrom string }
	Verdict       string
	Reasons       []string
}

func TestVerifyReadsWhatCosignSaved(t *testing.T) {
	key := savedLayouts + "cosign.pub"
	for name, c := range map[string]struct {
		args  []string
		code  int
		image string
		rows  int
	}{
		"cosign 2, all that is in it":        {[]string{"--layout", savedLayouts + "cosign2"}, exitOK, "localhost/layout@", 1},
		"cosign 3, all that is in it":        {[]string{"--layout", savedLayouts + "cosign3"}, exitOK, "localhost/layout@", 1},
		"under its name at the registry":     {[]string{"--layout", savedLayouts + "cosign2", "registry.test/acme/api:1"}, exitOK, "registry.test/acme/api:1", 1},
		"an index with its images":           {[]string{"--layout", savedLayouts + "cosign2-index", "--all-platforms"}, exitOK, "localhost/layout@", 3},
		"a digest that is not there":         {[]string{"--layout", savedLayouts + "cosign2", "sha256:" + strings.Repeat("0", 64)}, exitUnknown, "localhost/layout@", 1},
		"a key that did not sign":            {[]string{"--layout", savedLayouts + "cosign3", "--key", "testdata-other"}, exitRefused, "localhost/layout@", 1},
		"an image that is not in the folder": {[]string{"--layout", savedLayouts + "cosign2", "a.test/b:1@sha256:" + strings.Repeat("0", 64)}, exitUnknown, "a.test/b:1@", 1},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"verify", "-o", "json"}, c.args...)
			if i := len(args) - 1; args[i] == "testdata-other" {
				args[i] = otherKey(t)
			} else {
				args = append(args, "--key", key)
			}
			code, stdout, stderr := program(t, nil, args...)
			var rows []printed
			if err := json.Unmarshal([]byte(stdout), &rows); err != nil {
				t.Fatalf("%v: %s%s", err, stdout, stderr)
			}
			if code != c.code || len(rows) != c.rows || !strings.HasPrefix(rows[0].Image, c.image) {
				t.Errorf("exit code %d, want %d: %s%s", code, c.code, stdout, stderr)
			}
		})
	}
}

func otherKey(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "other.pub")
	pem := "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	if err := os.WriteFile(name, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestAnImageThatCallsItselfASignatureIsVerified: notes in the folder are whoever
// wrote it's, and must not let an image go unseen.
func TestAnImageThatCallsItselfASignatureIsVerified(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(savedLayouts+"cosign2")); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	renamed := strings.Replace(string(index), "cosign/image", "cosign/sigs", 1)
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(renamed), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := program(t, nil, "verify", "--layout", dir, "--key", savedLayouts+"cosign.pub")
	if code != exitRefused || !strings.Contains(stdout, "Unsigned") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

func TestALayoutThatWasTamperedWithIsNotVerified(t *testing.T) {
	for name, tamper := range map[string]func(path string, b []byte) []byte{
		"a byte more":    func(_ string, b []byte) []byte { return append(b, ' ') },
		"another's":      func(string, []byte) []byte { return []byte("{}") },
		"nothing at all": func(string, []byte) []byte { return nil },
	} {
		for _, from := range []string{"cosign2", "cosign3"} {
			blobs, err := filepath.Glob(savedLayouts + from + "/blobs/sha256/*")
			if err != nil || len(blobs) < 5 {
				t.Fatalf("got %d blobs, %v", len(blobs), err)
			}
			t.Run(from+" "+name, func(t *testing.T) {
				changed := 0
				for _, blob := range blobs {
					dir := t.TempDir()
					if err := os.CopyFS(dir, os.DirFS(savedLayouts+from)); err != nil {
						t.Fatal(err)
					}
					b, err := os.ReadFile(blob)
					if err != nil {
						t.Fatal(err)
					}
					target := filepath.Join(dir, "blobs", "sha256", filepath.Base(blob))
					if err := os.WriteFile(target, tamper(target, b), 0o600); err != nil {
						t.Fatal(err)
					}
					if code, _, _ := program(t, nil, "verify", "--layout", dir, "--key", savedLayouts+"cosign.pub"); code != exitOK {
						changed++
					}
				}
				// Layers and configs are not read: the manifest names them by digest.
				if changed < 2 {
					t.Errorf("only %d of %d blobs mattered", changed, len(blobs))
				}
			})
		}
	}
}

func TestLayoutMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no layout":                {[]string{"verify", "--layout", "testdata"}, "not an OCI image layout"},
		"no folder":                {[]string{"verify", "--layout", "none"}, "open layout"},
		"a registry's flag":        {[]string{"verify", "--layout", savedLayouts + "cosign2", "--plain-http"}, "no registry is asked"},
		"a name that is none":      {[]string{"verify", "--layout", savedLayouts + "cosign2", "A/B"}, "A/B"},
		"a check without a name":   {[]string{"check", "--layout", savedLayouts + "cosign2"}, "no image was named"},
		"no trust":                 {[]string{"verify", "--layout", savedLayouts + "cosign2"}, "nobody is trusted"},
		"names from an empty file": {[]string{"verify", "--layout", savedLayouts + "cosign2", "-"}, "no image was named"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, stdout, stderr := program(t, nil, c.args...); code != exitUsage || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
		})
	}
}

func TestCheckJudgesALayoutUnderTheNameAtTheRegistry(t *testing.T) {
	dir := t.TempDir()
	key, err := os.ReadFile(savedLayouts + "cosign.pub")
	if err != nil {
		t.Fatal(err)
	}
	documents := `apiVersion: vouchsafe.dev/v1alpha1
kind: SignatureIntegration
metadata: {name: team}
spec:
  publicKeys:
    - name: cosign
      key: |
        ` + strings.ReplaceAll(strings.TrimSpace(string(key)), "\n", "\n        ") + `
---
apiVersion: vouchsafe.dev/v1alpha1
kind: ImagePolicy
metadata: {name: signed}
spec: {images: ["docker.io/acme/**"], signers: [team], behavior: InformAndEnforce}
`
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(documents), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(want int, says string, args ...string) {
		t.Helper()
		code, stdout, stderr := program(t, nil, append([]string{"check", "--config-dir", dir}, args...)...)
		if code != want || !strings.Contains(stdout, says) {
			t.Errorf("%v: exit code %d, want %d: %s%s", args, code, want, stdout, stderr)
		}
	}
	check(exitOK, "verified by team", "--layout", savedLayouts+"cosign2", "acme/api:1")
	check(exitOK, "verified by team", "--layout", savedLayouts+"cosign2-index", "--all-platforms", "acme/api:1")
	check(exitRefused, "REGISTRY_NOT_LISTED", "--layout", savedLayouts+"cosign2", "unlisted.test/acme/api:1")
	check(exitUnknown, "FETCH_FAILED", "--layout", savedLayouts+"cosign2", "acme/api@sha256:"+strings.Repeat("0", 64))
}
