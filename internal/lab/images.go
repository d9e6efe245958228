package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/oci"
)

// born is when every image was built: a fixed time makes equal seeds give equal
// digests.
var born = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// PushImage pushes a small image for linux/amd64 with one layer whose content
// depends on seed, and returns its reference by digest (tag kept). An empty tag
// pushes by digest alone. Equal seeds make equal images.
func (r *Registry) PushImage(repository, tag, seed string) (oci.Reference, error) {
	d, err := r.image(repository, tag, seed, v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return oci.Reference{}, err
	}
	return r.reference(repository, tag, d)
}

// PushIndex pushes an index of images for linux/amd64 and linux/arm64 and
// returns the index's reference and those of its children, which have no tag.
func (r *Registry) PushIndex(repository, tag, seed string) (index oci.Reference, children []oci.Reference, err error) {
	list := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, architecture := range []string{"amd64", "arm64"} {
		platform := v1.Platform{OS: "linux", Architecture: architecture}
		d, err := r.image(repository, "", seed, platform)
		if err != nil {
			return oci.Reference{}, nil, err
		}
		child, err := r.reference(repository, "", d)
		if err != nil {
			return oci.Reference{}, nil, err
		}
		children = append(children, child)
		d.Platform = &platform
		list.Manifests = append(list.Manifests, d)
	}
	d, err := r.jsonManifest(repository, tag, types.OCIImageIndex, list)
	if err != nil {
		return oci.Reference{}, nil, err
	}
	index, err = r.reference(repository, tag, d)
	return index, children, err
}

// image pushes config, layer and manifest.
func (r *Registry) image(repository, tag, seed string, platform v1.Platform) (v1.Descriptor, error) {
	files, err := tarOf("etc/lab-seed", seed+"\n"+platform.String()+"\n")
	if err != nil {
		return v1.Descriptor{}, err
	}
	packed, err := gzipOf(files)
	if err != nil {
		return v1.Descriptor{}, err
	}
	config, err := json.Marshal(v1.ConfigFile{
		Architecture: platform.Architecture,
		OS:           platform.OS,
		Created:      v1.Time{Time: born},
		History:      []v1.History{{Created: v1.Time{Time: born}, CreatedBy: "lab"}},
		RootFS:       v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{hash(oci.SHA256(files))}},
		Config:       v1.Config{Env: []string{"PATH=/bin"}, Cmd: []string{"/bin/true"}},
	})
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("encode config: %w", err)
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	if manifest.Config, err = r.layer(repository, types.OCIConfigJSON, config); err != nil {
		return v1.Descriptor{}, err
	}
	layer, err := r.layer(repository, types.OCILayer, packed)
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifest.Layers = []v1.Descriptor{layer}
	return r.jsonManifest(repository, tag, types.OCIManifestSchema1, manifest)
}

func (r *Registry) reference(repository, tag string, d v1.Descriptor) (oci.Reference, error) {
	digest, err := oci.ParseDigest(d.Digest.String())
	if err != nil {
		return oci.Reference{}, err
	}
	return oci.Reference{Repository: oci.Repository{Registry: r.host, Path: repository}, Tag: tag, Digest: digest}, nil
}

func tarOf(name, content string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: born, Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	return b.Bytes(), nil
}

func gzipOf(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("pack layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack layer: %w", err)
	}
	return b.Bytes(), nil
}
