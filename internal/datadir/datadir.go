// Package datadir opens the folder in which a process keeps what must survive it.
// One process at a time has it: whoever else opens it for writing is told so.
//
// Trust: the folder is the operator's, made for the process alone. What is kept in
// it is verified by whoever reads it, never believed for being there.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// lockFile is held while a process has the folder. It stays when the process ends:
// the lock is the kernel's, and ends with it.
const lockFile = "lock"

// ErrInUse is a folder that another process has.
var ErrInUse = errors.New("another process has it: give each process a DATA_DIR of its own")

// Dir is a folder that this process may have. It makes and locks the folder when
// it is first needed, not before. It is safe for concurrent use.
type Dir struct {
	path string

	mu   sync.Mutex // guards lock
	lock *os.File
}

// New names the folder and does nothing to it.
func New(path string) *Dir { return &Dir{path: path} }

// Path returns the folder's name, whether or not it is there.
func (d *Dir) Path() string { return d.path }

// Sub returns the name of a folder inside, after making and locking the outer one,
// with rights for the owner alone. The inner one is its user's to make. A folder
// that was deleted meanwhile, or replaced, is made and locked again. The error is
// [ErrInUse] or the file system's; another try is allowed.
func (d *Dir) Sub(name string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock != nil && !d.held() {
		// The lock is one of a file that nobody else can find.
		_ = d.lock.Close()
		d.lock = nil
	}
	if d.lock == nil {
		lock, err := open(d.path)
		if err != nil {
			return "", fmt.Errorf("open DATA_DIR %s: %w", d.path, err)
		}
		d.lock = lock
	}
	return filepath.Join(d.path, name), nil
}

// held reports whether the file that is locked is still the one in the folder.
func (d *Dir) held() bool {
	mine, err := d.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(filepath.Join(d.path, lockFile))
	return err == nil && os.SameFile(mine, there)
}

// Close gives the folder back. A Dir that never had it has nothing to give.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		return nil
	}
	lock := d.lock
	d.lock = nil
	if err := lock.Close(); err != nil {
		return fmt.Errorf("close DATA_DIR %s: %w", d.path, err)
	}
	return nil
}

func open(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
