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

// Where cosign's first format keeps the signature of a layer's bytes, and what
// proves it.
const (
	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	chainAnnotation       = "dev.sigstore.cosign/chain"
	entryAnnotation       = "dev.sigstore.cosign/bundle"
)

// Key is a signing key, ECDSA P-256, with what is kept beside the signatures that
// it makes.
type Key struct {
	private *ecdsa.PrivateKey
	// spki is the public key in DER.
	spki []byte
	// leaf is the key's certificate and chain what issued it; nil for a key that
	// is known by itself.
	leaf  *x509.Certificate
	chain []*x509.Certificate
	// log takes an entry of each signature; nil means that none does.
	log *Log
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

// LoggedIn returns the same key, whose signatures are entered in log.
func (k *Key) LoggedIn(log *Log) *Key {
	same := *k
	same.log = log
	return &same
}

// id is by what a log goes whose key this is (RFC 6962, section 3.2).
func (k *Key) id() [sha256.Size]byte { return sha256.Sum256(k.spki) }

// shownPEM is what verifies a signature by this key, as a log enters it: the
// certificate, else the public key.
func (k *Key) shownPEM() []byte {
	if k.leaf != nil {
		return []byte(certificatePEM(k.leaf))
	}
	return []byte(k.PublicPEM())
}

// sign returns the signature of message.
func (k *Key) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
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
	if layer.Annotations, err = k.annotations(payload, signature); err != nil {
		return err
	}
	return r.appendSignature(image.Repository.Path, image.Digest.TagName()+".sig", layer)
}

// annotations are what stands beside a signature of payload.
func (k *Key) annotations(payload, signature []byte) (map[string]string, error) {
	beside := map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(signature)}
	if k.leaf != nil {
		beside[certificateAnnotation] = certificatePEM(k.leaf)
		for _, one := range k.chain {
			beside[chainAnnotation] += certificatePEM(one)
		}
	}
	if k.log == nil {
		return beside, nil
	}
	entry, err := k.log.add("hashedrekord", map[string]any{
		"data":      map[string]any{"hash": sha256Of(payload)},
		"signature": map[string]any{"content": signature, "publicKey": map[string]any{"content": k.shownPEM()}},
	})
	if err != nil {
		return nil, err
	}
	beside[entryAnnotation], err = entry.annotation()
	return beside, err
}

// sha256Of is a digest as log entries write it.
func sha256Of(text []byte) map[string]string {
	return map[string]string{"algorithm": "sha256", "value": oci.SHA256(text).Hex()}
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
