package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/oci"
)

// PushManifest pushes any bytes as a manifest under tag or digest, malformed
// ones too.
func (r *Registry) PushManifest(repository, tagOrDigest, mediaType string, body []byte) error {
	path := "/v2/" + repository + "/manifests/" + tagOrDigest
	a, err := r.request(http.MethodPut, path, mediaType, body)
	if err != nil {
		return err
	}
	if a.status != http.StatusCreated {
		r.store.force(path, mediaType, body)
		r.store.force("/v2/"+repository+"/manifests/"+oci.SHA256(body).String(), mediaType, body)
	}
	return nil
}

// PushBlob pushes a blob.
func (r *Registry) PushBlob(repository string, body []byte) (oci.Digest, error) {
	digest := oci.SHA256(body)
	path := "/v2/" + repository + "/blobs/uploads/?digest=" + url.QueryEscape(digest.String())
	a, err := r.request(http.MethodPost, path, "application/octet-stream", body)
	if err != nil {
		return oci.Digest{}, err
	}
	if a.status != http.StatusCreated {
		return oci.Digest{}, fmt.Errorf("push blob %s to %s: status %d: %s", digest, repository, a.status, a.body.Bytes())
	}
	return digest, nil
}

// manifest returns a manifest and its media type; found is false for a 404.
func (r *Registry) manifest(repository, tagOrDigest string) (body []byte, mediaType string, found bool, err error) {
	a, err := r.request(http.MethodGet, "/v2/"+repository+"/manifests/"+tagOrDigest, "", nil)
	switch {
	case err != nil:
		return nil, "", false, err
	case a.status == http.StatusNotFound:
		return nil, "", false, nil
	case a.status != http.StatusOK:
		return nil, "", false, fmt.Errorf("read manifest %s of %s: status %d", tagOrDigest, repository, a.status)
	}
	return a.body.Bytes(), a.header.Get("Content-Type"), true, nil
}

// request asks the registry without passing its door, so that what the lab does
// is not counted.
func (r *Registry) request(method, path, contentType string, body []byte) (*answer, error) {
	// The request never leaves the process and ends by itself.
	req, err := http.NewRequest(method, "http://"+r.host+path, bytes.NewReader(body)) //nolint:noctx // see above
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	a := &answer{status: http.StatusOK, header: http.Header{}}
	r.store.ServeHTTP(a, req)
	return a, nil
}

// layer pushes body as a blob and returns its descriptor.
func (r *Registry) layer(repository string, mediaType types.MediaType, body []byte) (v1.Descriptor, error) {
	digest, err := r.PushBlob(repository, body)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(body)), Digest: hash(digest)}, nil
}

// jsonManifest pushes manifest as JSON under tag, or by its digest when tag is
// empty, and returns its descriptor.
func (r *Registry) jsonManifest(repository, tag string, mediaType types.MediaType, manifest any) (v1.Descriptor, error) {
	body, err := json.Marshal(manifest)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("encode manifest: %w", err)
	}
	digest := oci.SHA256(body)
	if tag == "" {
		tag = digest.String()
	}
	if err := r.PushManifest(repository, tag, string(mediaType), body); err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(body)), Digest: hash(digest)}, nil
}

func hash(d oci.Digest) v1.Hash { return v1.Hash{Algorithm: d.Algorithm(), Hex: d.Hex()} }
