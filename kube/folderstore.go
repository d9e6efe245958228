package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// FolderStore is a [Store] in a folder of its own, for one process: the folder
// must not be shared. It is safe for concurrent use.
//
// Trust: whoever can read the folder can pose as the webhook; files are for the
// process's user alone.
type FolderStore struct {
	path string
	// mu makes a comparison and the writing after it one step.
	mu sync.Mutex
}

var _ Store = (*FolderStore)(nil)

// NewFolderStore returns a store in the folder at path, which is made with the
// first Save.
func NewFolderStore(path string) *FolderStore { return &FolderStore{path: path} }

// Load implements [Store].
func (s *FolderStore) Load(context.Context) (Kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load()
}

func (s *FolderStore) load() (Kept, error) {
	kept := Kept{Parts: map[string][]byte{}}
	sum := sha256.New()
	for _, name := range partNames {
		b, err := s.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Kept{}, fmt.Errorf("read certificates of the webhook: %w", err)
		}
		kept.Parts[name] = b
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
	}
	if len(kept.Parts) > 0 {
		kept.Version = hex.EncodeToString(sum.Sum(nil))
	}
	return kept, nil
}

// read returns one part; one that is too large is cut, so that it is broken
// rather than a reason to end.
func (s *FolderStore) read(name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(s.path, name)) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(file, maxPartBytes+1))
}

// Save implements [Store]. Each file is replaced whole. An end between two of them
// leaves parts that do not belong together, which is found when they are read.
func (s *FolderStore) Save(_ context.Context, before Kept, parts map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.load()
	if err != nil {
		return err
	}
	if now.Version != before.Version {
		return fmt.Errorf("write certificates of the webhook: %w", ErrConflict)
	}
	if err := os.MkdirAll(s.path, 0o700); err != nil {
		return fmt.Errorf("write certificates of the webhook: %w", err)
	}
	for _, name := range partNames {
		if err := s.write(name, parts[name]); err != nil {
			return fmt.Errorf("write certificates of the webhook: %w", err)
		}
	}
	return nil
}

// write replaces one file; os.CreateTemp makes it for the user alone.
func (s *FolderStore) write(name string, b []byte) error {
	file, err := os.CreateTemp(s.path, ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(s.path, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
