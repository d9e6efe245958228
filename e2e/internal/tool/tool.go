// Package tool finds, builds and runs the programs of the end-to-end tests.
package tool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// folder names the folder of built programs. Set by the caller of "go test", it
// holds vouchsafe, crane, payload, cosign2 and cosign3, and nothing is built.
const folder = "VOUCHSAFE_E2E_BIN"

// Built reports whether the programs are there already.
func Built() bool { return os.Getenv(folder) != "" }

// Build builds the product and what the tests need into dir and finds the
// pinned cosigns. It must run where the module proxy can be reached, and in the
// folder of this module.
func Build(dir string) error {
	for name, build := range map[string][]string{
		"vouchsafe": {"-C", "..", "build", "-o", filepath.Join(dir, "vouchsafe"), "./cmd/vouchsafe"},
		"payload":   {"build", "-o", filepath.Join(dir, "payload"), "./internal/payload"},
		"crane":     {"build", "-o", filepath.Join(dir, "crane"), "github.com/google/go-containerregistry/cmd/crane"},
	} {
		cmd := exec.Command("go", build...) //nolint:gosec,noctx // fixed arguments; go test's own time limit holds
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	cmd := exec.Command("./tools.sh", "cosign2", "cosign3") //nolint:noctx // go test's own time limit holds
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("find the pinned cosigns: %w", err)
	}
	paths := strings.Fields(string(out))
	if len(paths) != 2 {
		return fmt.Errorf("find the pinned cosigns: tools.sh answered %q", out)
	}
	return errors.Join(
		os.Symlink(paths[0], filepath.Join(dir, "cosign2")),
		os.Symlink(paths[1], filepath.Join(dir, "cosign3")),
		os.Setenv(folder, dir),
	)
}

// Path returns the path of a program that [Build] put in its folder.
func Path(name string) string { return filepath.Join(os.Getenv(folder), name) }

// Output is what a program said and how it ended.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// All returns both streams, for messages and for clients that use either.
func (o Output) All() string { return o.Stdout + o.Stderr }

// Run runs a program to its end, with env added to a small environment that
// holds nothing of the caller's, and returns what it said.
func Run(tb testing.TB, env []string, path string, args ...string) Output {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), path, args...) //nolint:gosec // the tests choose the program
	cmd.Env = append(Environment(tb.TempDir()), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		tb.Fatalf("run %s: %v", path, err)
	}
	out := Output{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	tb.Logf("%s %s: exit %d\n%s", filepath.Base(path), strings.Join(args, " "), out.Code, out.All())
	return out
}

// MustRun is [Run] for a program that has to succeed.
func MustRun(tb testing.TB, env []string, path string, args ...string) Output {
	tb.Helper()
	out := Run(tb, env, path, args...)
	if out.Code != 0 {
		tb.Fatalf("%s %s: exit %d\n%s", filepath.Base(path), strings.Join(args, " "), out.Code, out.All())
	}
	return out
}

// Environment is the environment that every program gets: a home of its own, so
// that no configuration, credential or trust of the machine takes part.
func Environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"TMPDIR=" + os.TempDir(),
		// Without an own answer here cosign asks the public instance for keys.
		"TUF_MIRROR=http://127.0.0.1:9",
		"COSIGN_PASSWORD=",
		"COSIGN_YES=true",
	}
}
