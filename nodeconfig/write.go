package nodeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrForeign is wrapped by the refusal to replace a file that somebody else
// wrote.
var ErrForeign = errors.New("somebody else wrote it")

// Change is what became of one file of a plan.
type Change struct {
	Path string `json:"path"`
	// Action is "written", "replaced" or "unchanged".
	Action string `json:"action"`
	// Backup is where the file is that was there before; empty when there was none.
	Backup string `json:"backup,omitempty"`
}

func isMarked(text []byte) bool { return bytes.HasPrefix(text, []byte(marker)) }

// Write writes the files of a plan to a node. Nothing is written when one of them
// would take the place of a file that somebody else wrote, unless force is set;
// what is replaced is kept beside it, by the time now. Each file is there whole or
// not at all. A second time nothing is written.
func (p Plan) Write(node Node, force bool, now time.Time) ([]Change, error) {
	befores := make([][]byte, len(p.Files))
	var refused []error
	for i, f := range p.Files {
		before, err := node.optional(f.Path)
		if err != nil {
			return nil, err
		}
		befores[i] = before
		ours := isMarked(before)
		if f.ours != nil {
			ours = ours || f.ours(before)
		}
		if len(before) > 0 && string(before) != f.Content && !ours && !force {
			refused = append(refused, fmt.Errorf("%s: %w, so it is not replaced", f.Path, ErrForeign))
		}
	}
	if err := errors.Join(refused...); err != nil {
		return nil, err
	}
	changes := make([]Change, 0, len(p.Files))
	for i, f := range p.Files {
		change, err := f.write(node, befores[i], now)
		if err != nil {
			return changes, fmt.Errorf("write %s: %w", f.Path, err)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (f File) write(node Node, before []byte, now time.Time) (Change, error) {
	change := Change{Path: f.Path, Action: "unchanged"}
	if before != nil && string(before) == f.Content {
		return change, nil
	}
	at, err := node.resolve(f.Path)
	if err != nil {
		return change, err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // runtimes and tools of other users read it
		return change, err
	}
	mode := fs.FileMode(0o644)
	change.Action = "written"
	if before != nil {
		info, err := os.Stat(at)
		if err != nil {
			return change, err
		}
		mode = info.Mode().Perm()
		suffix := now.UTC().Format(".20060102T150405Z.bak")
		if err := writeNew(at+suffix, before, mode); err != nil {
			return change, fmt.Errorf("keep what was there: %w", err)
		}
		change.Action, change.Backup = "replaced", f.Path+suffix
	}
	return change, replace(at, []byte(f.Content), mode)
}

// writeNew writes a file that must not be there.
func writeNew(at string, text []byte, mode fs.FileMode) (err error) {
	file, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // the mode of the file that it is a copy of
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}

// replace puts a file in place in one step.
func replace(at string, text []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(at), ".vouchsafe-*")
	if err != nil {
		return err
	}
	partial := file.Name()
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(partial, at)
	}
	if err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	return nil
}
