package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// errTooLarge is a file over [MaxFileBytes].
var errTooLarge = fmt.Errorf("is larger than %d MiB", MaxFileBytes>>20)

// errNotRegular is a pipe, socket or device, from which a read may never return.
var errNotRegular = errors.New("is not a regular file")

// readFile reads a regular file of at most [MaxFileBytes]. The error does not
// repeat the name.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, bare(err)
	}
	if info.IsDir() {
		return nil, errors.New("is a folder, wanted a file")
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(name) //nolint:gosec // the operator's own configuration names it
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, bare(err)
	}
	if len(body) > MaxFileBytes {
		return nil, errTooLarge
	}
	return body, nil
}

// bare takes the name out of a file system's error: messages name files as
// documents do.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// references remembers the files that documents name, as they were just before
// they were read.
type references map[string]string

// reader returns the reader for the documents of folder.
func (r references) reader(folder string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		full := name
		if !filepath.IsAbs(full) {
			full = filepath.Join(folder, filepath.FromSlash(name))
		}
		// The stamp comes first, so that a change during the read is seen later.
		r[full] = stampOf(full)
		body, err := readFile(full)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return body, nil
	}
}

// changed reports whether a file is not as it was.
func (r references) changed() bool {
	for name, stamp := range r {
		if stampOf(name) != stamp {
			return true
		}
	}
	return false
}
