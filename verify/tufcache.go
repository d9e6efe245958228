package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// mirrorFile is the one file that is kept for a mirror, in a folder of its
	// own. It is replaced as a whole, so that a start finds one state or the other.
	mirrorFile = "state.json"
	// maxMirrorFile bounds it.
	maxMirrorFile = 64 << 20
)

var errNotRegular = errors.New("it is no regular file")

// readMirrorState reads what was kept in folder. A folder or file that is not
// there is the zero state.
func readMirrorState(folder string) (state mirrorState, err error) {
	// Not to wait for whoever would write to a pipe of that name.
	file, err := os.OpenFile(filepath.Join(folder, mirrorFile), os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the folder is the operator's, the name is ours
	if errors.Is(err, fs.ErrNotExist) {
		return mirrorState{}, nil
	}
	if err != nil {
		return mirrorState{}, fmt.Errorf("read kept trusted root: %w", err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return mirrorState{}, fmt.Errorf("read kept trusted root: %s: %w", file.Name(), errors.Join(err, errNotRegular))
	}
	text, err := io.ReadAll(io.LimitReader(file, maxMirrorFile+1))
	switch {
	case err != nil:
		return mirrorState{}, fmt.Errorf("read kept trusted root: %w", err)
	case len(text) > maxMirrorFile:
		return mirrorState{}, fmt.Errorf("read kept trusted root: %s: %w", file.Name(), errMirrorSize)
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return mirrorState{}, fmt.Errorf("read kept trusted root: %s: %w", file.Name(), err)
	}
	return state, nil
}

// writeMirrorState replaces what is kept in folder, which it makes.
func writeMirrorState(folder string, state mirrorState) error {
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("keep trusted root: %w", err)
	}
	if len(text) > maxMirrorFile {
		return fmt.Errorf("keep trusted root: %w", errMirrorSize)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("keep trusted root: %w", err)
	}
	file, err := os.CreateTemp(folder, "new-")
	if err != nil {
		return fmt.Errorf("keep trusted root: %w", err)
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(folder, mirrorFile))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("keep trusted root: %w", err)
	}
	return nil
}
