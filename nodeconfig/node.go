package nodeconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	// maxFile is how much of one file is read, in bytes.
	maxFile = 1 << 20
	// maxEntries is how many entries of one folder are read.
	maxEntries = 4096
	// maxLinks is how many symbolic links lead to one file at most, as for the
	// kernel.
	maxLinks = 40
)

// ErrUnreadable is wrapped by errors about files that are there and of which
// nothing can be said: not to be opened, too large, or not in their language.
var ErrUnreadable = errors.New("cannot be read")

// Node is the files of one node. The zero value is a node that has none.
type Node struct {
	// root is the folder where the node's "/" is; empty for a node without files.
	root string
}

// OpenNode returns the node whose "/" is the folder root.
func OpenNode(root string) (Node, error) {
	info, err := os.Stat(root)
	if err != nil {
		return Node{}, fmt.Errorf("the node's root: %w", err)
	}
	if !info.IsDir() {
		return Node{}, fmt.Errorf("the node's root %s: not a folder", root)
	}
	root, err = filepath.Abs(root)
	return Node{root: root}, err
}

// resolve returns where a path of the node is for this process. Symbolic links
// are followed as the node would, an absolute one from the node's root, so that a
// node's disk that is mounted elsewhere never leads to a file of this machine.
func (n Node) resolve(name string) (string, error) {
	if n.root == "" {
		return "", fs.ErrNotExist
	}
	done, links := "/", 0
	todo := strings.Split(path.Clean("/"+name), "/")
	for len(todo) > 0 {
		element := todo[0]
		todo = todo[1:]
		if element == "" || element == "." {
			continue
		}
		if element == ".." {
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, element)
		target, err := os.Readlink(filepath.Join(n.root, next))
		if err != nil {
			// Not a link, or not there: both are for whoever opens it.
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w: more than %d symbolic links", name, ErrUnreadable, maxLinks)
		}
		if path.IsAbs(target) {
			done = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return filepath.Join(n.root, done), nil
}

// missing reports whether err says that there is no such file, also because a
// part of its path is no folder.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// read returns the text of a file, or an error that is [fs.ErrNotExist] or
// [ErrUnreadable].
func (n Node) read(name string) ([]byte, error) {
	at, err := n.resolve(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(at)
	switch {
	case err != nil && missing(err):
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", name, ErrUnreadable, err)
	case !info.Mode().IsRegular():
		// A pipe would hang, a device would not end.
		return nil, fmt.Errorf("%s: %w: not a file", name, ErrUnreadable)
	}
	file, err := os.Open(at) //nolint:gosec // resolved below the root, and only read
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrUnreadable, err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrUnreadable, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", name, ErrUnreadable, maxFile)
	}
	return text, nil
}

// optional is read for a file that need not be there: nil then.
func (n Node) optional(name string) ([]byte, error) {
	text, err := n.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if text == nil && err == nil {
		text = []byte{}
	}
	return text, err
}

func (n Node) exists(name string) (bool, error) {
	at, err := n.resolve(name)
	if err == nil {
		_, err = os.Stat(at)
	}
	switch {
	case err == nil:
		return true, nil
	case missing(err):
		return false, nil
	}
	return false, fmt.Errorf("%s: %w: %w", name, ErrUnreadable, err)
}

// list returns the names in a folder, sorted; none when it is not there. folders
// says whether those of folders or those of all else are wanted.
func (n Node) list(name string, folders bool) ([]string, error) {
	at, err := n.resolve(name)
	if err != nil && !missing(err) || n.root == "" {
		return nil, ignoreMissing(err)
	}
	dir, err := os.Open(at) //nolint:gosec // resolved below the root, and only read
	if err != nil {
		if missing(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: %w: %w", name, ErrUnreadable, err)
	}
	defer dir.Close() //nolint:errcheck // it was only read
	entries, err := dir.Readdirnames(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		if missing(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: %w: %w", name, ErrUnreadable, err)
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("%s: %w: more than %d entries", name, ErrUnreadable, maxEntries)
	}
	var found []string
	for _, entry := range entries {
		inside, err := n.resolve(path.Join(name, entry))
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(inside); err == nil && info.IsDir() == folders {
			found = append(found, entry)
		}
	}
	slices.Sort(found)
	return found, nil
}

func ignoreMissing(err error) error {
	if missing(err) {
		return nil
	}
	return err
}
