package config

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Limits on the folder itself.
const (
	// MaxEntries is the most entries that are looked at, of any kind.
	MaxEntries = 50_000
	// MaxFolderDepth is how deep sub-folders may nest.
	MaxFolderDepth = 16
)

// tree is what a folder holds, before anything in it is read.
type tree struct {
	// files are the documents' files, relative with slashes, in the order of
	// their names.
	files []string
	// folders are all folders that were looked into, relative, "." among them.
	folders []string
	// stamp changes when a file's bytes may have changed.
	stamp string
	// dangling are symlinks that point at nothing.
	dangling []string
}

// readTree looks at the folder. An error is about the folder itself.
func readTree(dir string) (tree, error) {
	w := &walker{dir: dir}
	info, err := os.Stat(dir)
	if err != nil {
		return tree{}, fmt.Errorf("read configuration folder: %w", err)
	}
	if !info.IsDir() {
		return tree{}, fmt.Errorf("read configuration folder: %s is a file, wanted a folder", dir)
	}
	// Where the name leads is part of the stamp: git-sync and the like swap a
	// symlink that the folder's name goes through.
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		w.stamp.WriteString(resolved + "\n")
	}
	if err := w.walk(".", 0); err != nil {
		return tree{}, fmt.Errorf("read configuration folder: %w", err)
	}
	w.found.stamp = w.stamp.String()
	return w.found, nil
}

type walker struct {
	dir     string
	found   tree
	stamp   strings.Builder
	entries int
}

func (w *walker) walk(folder string, depth int) error {
	if depth > MaxFolderDepth {
		return fmt.Errorf("%s: folders nest more than %d deep", folder, MaxFolderDepth)
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, filepath.FromSlash(folder)))
	if err != nil {
		return err
	}
	w.found.folders = append(w.found.folders, folder)
	for _, entry := range entries {
		if w.entries++; w.entries > MaxEntries {
			return fmt.Errorf("more than %d entries", MaxEntries)
		}
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := w.visit(path.Join(folder, entry.Name()), entry, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) visit(name string, entry fs.DirEntry, depth int) error {
	if entry.IsDir() {
		return w.walk(name, depth+1)
	}
	if extension := filepath.Ext(name); extension != ".yaml" && extension != ".yml" {
		return nil
	}
	full := filepath.Join(w.dir, filepath.FromSlash(name))
	info, err := os.Stat(full)
	switch {
	case err != nil && entry.Type()&fs.ModeSymlink != 0:
		w.found.dangling = append(w.found.dangling, name)
	case err != nil:
		// It went away between the listing and now.
		return nil //nolint:nilerr // the next look finds the folder without it
	case info.IsDir():
		// A symlinked folder: what it leads to may be anywhere, or here again.
		return nil
	default:
		w.found.files = append(w.found.files, name)
	}
	w.stamp.WriteString(name + " " + stampOf(full) + "\n")
	return nil
}

// stampOf describes a file so that a change of its bytes very likely changes the
// text: where symlinks lead, size, time and mode.
func stampOf(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return "missing"
	}
	resolved, err := filepath.EvalSymlinks(name)
	if err != nil {
		resolved = name
	}
	return fmt.Sprintf("%s %d %d %v", resolved, info.Size(), info.ModTime().UnixNano(), info.Mode())
}
