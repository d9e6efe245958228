package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation by which a layout names what it holds (OCI Image
// Format 1.1, Image Layout Specification, "index.json file").
const refName = "org.opencontainers.image.ref.name"

// User is the one that the image runs as: nobody in particular, by number, so
// that Kubernetes can tell that it is not root.
const User = "65532:65532"

// userID is the number in User.
const userID = 65532

// Source is what a build was made from.
type Source struct {
	// Version is the product's, as "vouchsafe version" prints it; Revision the
	// commit, empty when not known.
	Version, Revision string
	// Created is the time of every file and of the image.
	Created time.Time
}

// Program is the built product for a platform.
type Program struct {
	Platform v1.Platform
	File     string
}

// annotations describe the image and each part of it.
func (s Source) annotations() map[string]string {
	a := map[string]string{
		"org.opencontainers.image.title":       "vouchsafe",
		"org.opencontainers.image.description": "A registry gateway that verifies the signatures of images when they are pulled.",
		"org.opencontainers.image.created":     s.Created.Format(time.RFC3339),
		"org.opencontainers.image.version":     s.Version,
	}
	if s.Revision != "" {
		a["org.opencontainers.image.revision"] = s.Revision
	}
	return a
}

// config is what runs when the image does.
func (s Source) config() v1.Config {
	return v1.Config{
		User:         User,
		Env:          []string{"VOUCHSAFE_CONFIG_DIR=/etc/vouchsafe", "VOUCHSAFE_DATA_DIR=/var/lib/vouchsafe"},
		Entrypoint:   []string{"/vouchsafe"},
		Cmd:          []string{"serve"},
		ExposedPorts: map[string]struct{}{"5000/tcp": {}, "8443/tcp": {}, "9091/tcp": {}},
		Labels:       s.annotations(),
	}
}

// Index is the image for each of the programs. The roots are certificate
// authorities in PEM.
func Index(source Source, roots []byte, programs []Program) (v1.ImageIndex, error) {
	base, err := newLayer(source.Created, baseFiles(roots))
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, program := range programs {
		image, err := newImage(source, base, program)
		if err != nil {
			return nil, fmt.Errorf("make the image for %s: %w", program.Platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &program.Platform},
		})
	}
	annotated, ok := mutate.Annotations(index, source.annotations()).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("annotate the index: it is a %T no more", index)
	}
	return annotated, nil
}

// newImage is the image of two layers: what seldom changes, and the program.
func newImage(source Source, base v1.Layer, program Program) (v1.Image, error) {
	binary, err := os.ReadFile(program.File)
	if err != nil {
		return nil, err
	}
	top, err := newLayer(source.Created, []file{{name: "vouchsafe", mode: 0o755, content: binary}})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS:           program.Platform.OS,
		Architecture: program.Platform.Architecture,
		Variant:      program.Platform.Variant,
		Created:      v1.Time{Time: source.Created},
		Config:       source.config(),
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	for _, layer := range []struct {
		layer v1.Layer
		by    string
	}{{base, "certificate authorities, the user, folders for documents and for DATA_DIR"}, {top, "vouchsafe"}} {
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:     layer.layer,
			MediaType: types.OCILayer,
			History:   v1.History{Created: v1.Time{Time: source.Created}, CreatedBy: layer.by},
		})
		if err != nil {
			return nil, err
		}
	}
	annotated, ok := mutate.Annotations(image, source.annotations()).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("annotate the image: it is a %T no more", image)
	}
	return annotated, nil
}

// Write writes the layout, with the index under a name, and returns the digest
// of the index. What is at path before is replaced when the new one is whole.
func Write(path string, index v1.ImageIndex, name string) (v1.Hash, error) {
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the image is no secret
		return v1.Hash{}, err
	}
	partial, err := os.MkdirTemp(filepath.Dir(path), ".image-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.RemoveAll(partial) //nolint:errcheck // it has been renamed, or is of no use
	into, err := layout.Write(partial, empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := into.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: name})); err != nil {
		return v1.Hash{}, err
	}
	if err := readable(partial); err != nil {
		return v1.Hash{}, err
	}
	if err := os.RemoveAll(path); err != nil {
		return v1.Hash{}, err
	}
	return digest, os.Rename(partial, path)
}

// readable lets everybody read a layout, parts of which were temporary files
// once.
func readable(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o755) //nolint:gosec // the image is no secret
		}
		return os.Chmod(path, 0o644) //nolint:gosec // the image is no secret
	})
}
