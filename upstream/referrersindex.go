package upstream

import (
	"context"
	"encoding/json"
	"fmt"

	"vouchsafe/oci"
)

// ReferrersIndex returns the referrers of subject as an image index, from the
// API or, where there is none, from the referrers tag (OCI distribution
// specification 1.1, "Referrers Tag Schema"); filtered by artifactType when it
// is not empty. No referrers is an empty index. The index has at most
// [oci.MaxManifestBytes]; entries behind that are left out.
func (c *Client) ReferrersIndex(ctx context.Context, repository oci.Repository, subject oci.Digest, artifactType string) ([]byte, error) {
	answered, err := c.Referrers(ctx, repository, subject)
	if err != nil {
		return nil, err
	}
	found := answered.Manifests
	if !answered.Supported {
		if found, err = c.referrersTag(ctx, repository, subject); err != nil {
			return nil, err
		}
	}
	return encodeIndex(found, artifactType)
}

// referrersTag reads the tag under which referrers lie where there is no API.
func (c *Client) referrersTag(ctx context.Context, repository oci.Repository, subject oci.Digest) ([]oci.Descriptor, error) {
	ref := oci.Reference{Repository: repository, Tag: subject.ReferrersTag()}
	raw, err := c.GetManifest(ctx, ref)
	if code := oci.CodeOf(err); code == oci.CodeManifestUnknown || code == oci.CodeNameUnknown {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	manifest, err := oci.ParseManifest(raw.Bytes, raw.ContentType)
	if err != nil {
		return nil, fmt.Errorf("referrers tag %s: %w", ref, err)
	}
	if manifest.Kind != oci.KindIndex {
		return nil, &oci.Error{
			Code: oci.CodeManifestInvalid, Reason: "not_an_index",
			Message: fmt.Sprintf("referrers tag %s: not an index", ref),
		}
	}
	return manifest.Manifests, nil
}

// encodeIndex writes the entries that artifactType lets through.
func encodeIndex(found []oci.Descriptor, artifactType string) ([]byte, error) {
	const overhead = 256
	entries, size := []json.RawMessage{}, overhead
	for _, d := range found {
		if artifactType != "" && d.ArtifactType != artifactType {
			continue
		}
		b, err := json.Marshal(formatDescriptor(d))
		if err != nil {
			return nil, fmt.Errorf("encode referrer %s: %w", d.Digest, err)
		}
		if size += len(b) + 1; size > oci.MaxManifestBytes {
			break
		}
		entries = append(entries, b)
	}
	index, err := json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
	}{2, oci.MediaTypeImageIndex, entries})
	if err != nil {
		return nil, fmt.Errorf("encode index of referrers: %w", err)
	}
	return index, nil
}
