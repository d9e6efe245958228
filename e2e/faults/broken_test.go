package faults_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"vouchsafe/e2e/faults/history"
)

// brokenBuilds are the patches under testdata/broken, the cells that must see
// what each takes away, and the invariant that it breaks.
var brokenBuilds = []struct{ patch, cells, invariant string }{
	{"digest-header-trusted", `^F10-wrong-digest/cold/tag/`, "I1"},
	{"second-fetch", `^F9-alternates/(cold|warm)/tag/enforce$`, "I1"},
	{"cache-key-without-repository", `^F0-nothing-wrong/cold/digest/enforce$`, "I2"},
	{"old-revision-served", `^F29-policy-changes-in-flight/cold/(tag|digest)/enforce$`, "I2"},
	{"unanchored-expression", `^F0-nothing-wrong/cold/tag/enforce$`, "I2"},
	{"exempt-by-tag", `^F0-nothing-wrong/cold/tag/enforce$`, "I2"},
	{"error-allowed", `^F5-500-about-signatures/cold/tag/enforce$`, "I2"},
	{"credential-on-redirect", `^F11-cdn/cold/blob/`, "I7"},
	{"realm-followed", `^F12-realm-at-the-cdn/cold/tag/`, "I7"},
	{"last-bytes-early", `^F9-flipped-blob/cold/blob/`, "I1"},
	{"audit-after-answer", `^F23-audit-full/cold/tag/`, "I4"},
	{"lineage-from-unsigned", `^F0-nothing-wrong/cold/child/enforce$`, "I2"},
	{"outage-is-not-found", `^F5-500/cold/tag/`, "I3"},
	{"head-not-judged", `^F0-nothing-wrong/cold/tag/enforce$`, "I2"},
	{"denied-blob-served", `^F0-nothing-wrong/warm/tag/enforce$`, "I2"},
}

// buildsAtOnce bounds how many broken gateways are linked at the same time.
var buildsAtOnce = make(chan struct{}, 2)

// TestBrokenBuilds takes one promise out of the product at a time, and demands
// that the suite sees it.
func TestBrokenBuilds(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob(filepath.Join("testdata", "broken", "*.patch"))
	if err != nil || len(patches) != len(brokenBuilds) {
		t.Errorf("%d patches and %d rows (%v)", len(patches), len(brokenBuilds), err)
	}
	for i, b := range brokenBuilds {
		t.Run(b.patch, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			buildsAtOnce <- struct{}{}
			binary, err := buildBroken(dir, b.patch)
			<-buildsAtOnce
			if err != nil {
				t.Fatal(err)
			}
			violations, err := runBroken(100+i, binary, filepath.Join(dir, "run"), regexp.MustCompile(b.cells))
			if err != nil {
				t.Logf("the broken gateway: %v", err)
			}
			for _, v := range violations {
				t.Log(v)
			}
			if !slices.ContainsFunc(violations, func(v history.Violation) bool { return v.Invariant == b.invariant }) {
				t.Errorf("nobody saw a violation of %s in %s", b.invariant, b.cells)
			}
		})
	}
}

// runBroken runs the cells whose names match and returns what was found.
func runBroken(number int, binary, dir string, names *regexp.Regexp) ([]history.Violation, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var cells []*cell
	for _, v := range variants() {
		for _, c := range cellsOf(v) {
			if names.MatchString(c.name()) {
				cells = append(cells, c)
			}
		}
	}
	if len(cells) == 0 {
		return nil, errors.New("no cell has such a name")
	}
	var err error
	if v := cells[0].variant; v.process != nil {
		_, err = runTogether(number, binary, dir, v, cells)
	} else {
		err = runApart(number, binary, dir, cells)
	}
	var found []history.Violation
	for _, c := range cells {
		if c.lab == nil || c.lab.process == nil {
			continue
		}
		h, readErr := c.history()
		err = errors.Join(err, readErr)
		found = append(found, history.Check(h)...)
	}
	return found, err
}

// runApart runs cells against one gateway, each at its own pace.
func runApart(number int, binary, dir string, cells []*cell) error {
	l, err := newLab(number, binary, dir, world.names, cells, false)
	if err != nil {
		return err
	}
	failed := make([]error, len(cells))
	var group sync.WaitGroup
	for i, c := range cells {
		group.Go(func() { failed[i] = c.run() })
	}
	group.Wait()
	return errors.Join(append(failed, l.close())...)
}

// touched finds the files of a patch.
var touched = regexp.MustCompile(`(?m)^--- a/(\S+)`)

// buildBroken applies a patch to a copy of the files that it touches and builds
// the gateway with the copies in their place.
func buildBroken(dir, name string) (string, error) {
	path, err := filepath.Abs(filepath.Join("testdata", "broken", name+".patch"))
	if err != nil {
		return "", err
	}
	patch, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, match := range touched.FindAllSubmatch(patch, -1) {
		file := string(match[1])
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", fmt.Errorf("patch %s does not apply any more: %w", name, err)
		}
		copied := filepath.Join(dir, "copy", file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(copied), 0o700), os.WriteFile(copied, text, 0o600)); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(root, file)] = copied
	}
	apply := exec.Command("git", "apply", "-C1", path)
	apply.Dir = filepath.Join(dir, "copy")
	apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+dir)
	if out, err := apply.CombinedOutput(); err != nil {
		return "", fmt.Errorf("patch %s does not apply any more, write it anew: %w\n%s", name, err, out)
	}
	for original, copied := range overlay.Replace {
		before, readErr := os.ReadFile(original)
		after, err := os.ReadFile(copied)
		if err := errors.Join(readErr, err); err != nil {
			return "", err
		}
		if bytes.Equal(before, after) {
			return "", fmt.Errorf("patch %s changed nothing in %s", name, strings.TrimPrefix(original, root))
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "vouchsafe")
	return binary, build(binary, "-overlay", list, "-ldflags=-s -w")
}
