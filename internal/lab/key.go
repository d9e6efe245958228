package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/oci"
)

// signatureAnnotation is where cosign's first format keeps the signature of a
// layer's bytes.
const signatureAnnotation = "dev.cosignproject.cosign/signature"

// Key is a signing key, ECDSA P-256.
type Key struct {
	private *ecdsa.PrivateKey
	// spki is the public key in DER.
	spki []byte
}

// NewKey makes a key.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return &Key{private: private, spki: spki}, nil
}

// PublicPEM returns the public key in PEM, PUBLIC KEY.
func (k *Key) PublicPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.spki}))
}

// sign returns the signature of message in base64.
func (k *Key) sign(message []byte) (string, error) {
	sum := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// SignTag signs image in cosign's first format: a layer appended to the image
// under the tag sha256-<hex>.sig beside it.
func (k *Key) SignTag(r *Registry, image oci.Reference) error {
	if image.Digest.IsZero() {
		return fmt.Errorf("sign %s: no digest", image)
	}
	payload, err := json.Marshal(newSimpleSigning(image))
	if err != nil {
		return fmt.Errorf("encode payload: %w", err)
	}
	signature, err := k.sign(payload)
	if err != nil {
		return err
	}
	layer, err := r.layer(image.Repository.Path, oci.MediaTypeSimpleSigning, payload)
	if err != nil {
		return err
	}
	layer.Annotations = map[string]string{signatureAnnotation: signature}
	return r.appendSignature(image.Repository.Path, image.Digest.TagName()+".sig", layer)
}

// simpleSigning is the signed text, with cosign's words in cosign's order.
type simpleSigning struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			DockerManifestDigest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]string `json:"optional"`
}

func newSimpleSigning(image oci.Reference) simpleSigning {
	var s simpleSigning
	s.Critical.Identity.DockerReference = image.Repository.String()
	s.Critical.Image.DockerManifestDigest = image.Digest.String()
	s.Critical.Type = "cosign container image signature"
	return s
}

// appendSignature adds layer to the image under tag, which may not be there yet.
func (r *Registry) appendSignature(repository, tag string, layer v1.Descriptor) error {
	r.updating.Lock()
	defer r.updating.Unlock()
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	if err := r.decode(repository, tag, &manifest); err != nil {
		return err
	}
	manifest.Layers = append(manifest.Layers, layer)
	config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, l := range manifest.Layers {
		config.History = append(config.History, v1.History{})
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest)
	}
	body, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode config: %w", err)
	}
	if manifest.Config, err = r.layer(repository, types.OCIConfigJSON, body); err != nil {
		return err
	}
	_, err = r.jsonManifest(repository, tag, types.OCIManifestSchema1, manifest)
	return err
}

// decode reads the manifest under tag into v and leaves v alone if there is none.
func (r *Registry) decode(repository, tag string, v any) error {
	body, _, found, err := r.manifest(repository, tag)
	if err != nil || !found {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode manifest %s of %s: %w", tag, repository, err)
	}
	return nil
}

// CopySignature copies the .sig manifest of one image to the place where
// another's is looked for: a true signature of other content. Blobs are shared
// by all repositories of a Registry.
func CopySignature(r *Registry, from, to oci.Reference) error {
	body, mediaType, found, err := r.manifest(from.Repository.Path, from.Digest.TagName()+".sig")
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("copy signature: %s has none", from)
	}
	return r.PushManifest(to.Repository.Path, to.Digest.TagName()+".sig", mediaType, body)
}
