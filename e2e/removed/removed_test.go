package removed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the folder of the product's module, patches that of the patches in it.
const (
	root    = "../.."
	patches = "verify/testdata/removed"
)

// checks are what has to have a patch.
var checks = []string{
	"identity", "issuer", "issuer-absent", "whole-expression", "chain", "pinned", "time", "sct", "log", "log-binding",
	"entry-time", "token", "token-binding", "digest", "predicate", "name", "window", "signature-key", "signature-certificate",
}

// atOnce bounds how many verifiers are built at the same time.
var atOnce = make(chan struct{}, 2)

// The lines of a patch: a test that has to fail, and a file that it changes.
var (
	fails   = regexp.MustCompile(`(?m)^Fails: (\S+)$`)
	touched = regexp.MustCompile(`(?m)^--- a/(\S+)`)
)

// TestEveryCheckIsMissed takes out one check at a time.
func TestEveryCheckIsMissed(t *testing.T) {
	t.Parallel()
	for _, name := range checks {
		if _, err := os.Stat(filepath.Join(root, patches, name+".patch")); err != nil {
			t.Errorf("no patch takes out the check %q: %v", name, err)
		}
	}
	found, err := filepath.Glob(filepath.Join(root, patches, "*.patch"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".patch"), func(t *testing.T) {
			t.Parallel()
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			testRemoved(t, path)
		})
	}
}

// testRemoved builds the verifier's tests without the check once and runs each
// test that the patch names.
func testRemoved(t *testing.T, path string) {
	t.Helper()
	patch, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named := fails.FindAllSubmatch(patch, -1)
	if len(named) == 0 {
		t.Fatal("the patch names no test that has to fail")
	}
	folder := t.TempDir()
	overlay, err := apply(folder, path, patch)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "verify.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-C", root, "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./verify")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("without the check the verifier does not build: %v\n%s", err, out)
	}
	for _, match := range named {
		test := string(match[1])
		run := exec.CommandContext(t.Context(), binary, "-test.run", exactly(test), "-test.timeout=100s")
		run.Dir = filepath.Join(root, "verify")
		out, err := run.CombinedOutput()
		if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
			t.Fatal(err)
		}
		if !bytes.Contains(out, []byte("--- FAIL: "+test+" ")) {
			t.Errorf("%s does not miss the check:\n%s", test, out)
		}
	}
}

// exactly is the expression for one test with its parents.
func exactly(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// apply patches copies of the files and returns the path of an overlay that puts
// them in place of the files.
func apply(folder, path string, patch []byte) (string, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for _, match := range touched.FindAllSubmatch(patch, -1) {
		file := string(match[1])
		text, err := os.ReadFile(filepath.Join(absolute, file))
		if err != nil {
			return "", fmt.Errorf("the patch does not apply any more: %w", err)
		}
		copied := filepath.Join(folder, "copy", file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(copied), 0o700), os.WriteFile(copied, text, 0o600)); err != nil {
			return "", err
		}
		replace[filepath.Join(absolute, file)] = copied
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	git := exec.Command("git", "apply", "-C1", path)
	git.Dir = filepath.Join(folder, "copy")
	git.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+folder)
	if out, err := git.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the patch does not apply any more, write it anew: %w\n%s", err, out)
	}
	for original, copied := range replace {
		before, failed := os.ReadFile(original)
		after, err := os.ReadFile(copied)
		if err := errors.Join(failed, err); err != nil {
			return "", err
		}
		if bytes.Equal(before, after) {
			return "", fmt.Errorf("the patch changed nothing in %s", filepath.Base(original))
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(folder, "overlay.json")
	return list, os.WriteFile(list, text, 0o600)
}
