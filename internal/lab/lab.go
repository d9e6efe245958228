package lab

import (
	"context"

	"vouchsafe/oci"
)

// RegistryConfig configures a Registry. The zero value is a registry without
// access control and without the referrers API.
type RegistryConfig struct {
	// Referrers gives the registry the referrers API.
	Referrers bool
	// Addr is where it listens; empty means 127.0.0.1:0.
	Addr string
}

// Registry is a registry on loopback that counts who asks for what.
type Registry struct{}

// NewRegistry starts a registry.
func NewRegistry(ctx context.Context, cfg RegistryConfig) (*Registry, error) { panic("not built yet") }

// Host returns "127.0.0.1:port".
func (r *Registry) Host() string { panic("not built yet") }

// Close stops it.
func (r *Registry) Close() { panic("not built yet") }

// Requests returns each request since the last Reset as "METHOD /path", tokens
// and pings included, pushes by the lab itself left out.
func (r *Registry) Requests() []string { panic("not built yet") }

// Reset forgets the requests.
func (r *Registry) Reset() { panic("not built yet") }

// PushImage pushes a small image with one layer whose content depends on seed,
// and returns its reference by digest (tag kept).
func (r *Registry) PushImage(repository, tag, seed string) (oci.Reference, error) {
	panic("not built yet")
}

// PushIndex pushes an index of images for linux/amd64 and linux/arm64 and
// returns the index's reference and those of its children.
func (r *Registry) PushIndex(repository, tag, seed string) (index oci.Reference, children []oci.Reference, err error) {
	panic("not built yet")
}

// PushManifest pushes any bytes as a manifest under tag or digest.
func (r *Registry) PushManifest(repository, tagOrDigest, mediaType string, body []byte) error {
	panic("not built yet")
}

// PushBlob pushes a blob.
func (r *Registry) PushBlob(repository string, body []byte) (oci.Digest, error) {
	panic("not built yet")
}

// Key is a signing key, ECDSA P-256.
type Key struct{}

// NewKey makes a key.
func NewKey() (*Key, error) { panic("not built yet") }

// PublicPEM returns the public key in PEM, PUBLIC KEY.
func (k *Key) PublicPEM() string { panic("not built yet") }

// SignTag signs image in cosign's first format: a layer appended to the image
// under the tag sha256-<hex>.sig beside it.
func (k *Key) SignTag(r *Registry, image oci.Reference) error { panic("not built yet") }

// SignBundle signs image as cosign 3 does: a Sigstore bundle whose manifest
// refers to the image, found by the referrers API, or by the referrers tag where
// the registry has no API.
func (k *Key) SignBundle(r *Registry, image oci.Reference) error { panic("not built yet") }

// AttestBundle adds an attestation, which is no signature: a DSSE bundle whose
// predicate is SLSA provenance.
func (k *Key) AttestBundle(r *Registry, image oci.Reference) error { panic("not built yet") }

// CopySignature copies the .sig manifest of one image to the place where
// another's is looked for: a true signature of other content.
func CopySignature(r *Registry, from, to oci.Reference) error { panic("not built yet") }
