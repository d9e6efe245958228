package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// rootfs is what the Dockerfile copies too.
//
//go:embed rootfs
var rootfs embed.FS

// file is a file of the image, or with a final "/" in its name a folder.
type file struct {
	name    string
	mode    int64
	content []byte
	// owner is a user and its group; zero is root.
	owner int
}

// baseFiles are all files but the program.
func baseFiles(authorities []byte) []file {
	files := []file{
		{name: strings.TrimPrefix(roots, "/"), mode: 0o644, content: authorities},
		{name: "etc/vouchsafe/", mode: 0o755},
		{name: "var/lib/vouchsafe/", mode: 0o700, owner: userID},
	}
	for _, name := range []string{"etc/group", "etc/passwd"} {
		content, err := rootfs.ReadFile("rootfs/" + name)
		if err != nil {
			panic(err) // embedded above
		}
		files = append(files, file{name: name, mode: 0o644, content: content})
	}
	return files
}

// newLayer archives files and the folders above them, all of them root's but
// DATA_DIR, so that the user of the image cannot change them. The same files give the same
// bytes: their order, times and owners come from here alone.
func newLayer(created time.Time, files []file) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range withFolders(files) {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Uid: f.owner, Gid: f.owner, ModTime: created, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// withFolders adds the folders above each file, and sorts: a folder comes before
// what is in it.
func withFolders(files []file) []file {
	all := slices.Clone(files)
	for _, f := range files {
		for folder := path.Dir(path.Clean(f.name)); folder != "."; folder = path.Dir(folder) {
			all = append(all, file{name: folder + "/", mode: 0o755})
		}
	}
	byName := func(a, b file) int { return cmp.Compare(a.name, b.name) }
	slices.SortStableFunc(all, byName)
	return slices.CompactFunc(all, func(a, b file) bool { return a.name == b.name })
}
