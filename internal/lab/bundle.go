package lab

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vouchsafe/oci"
)

const (
	bundleType    = oci.BundleMediaTypePrefix + ".v0.3+json"
	statementType = "https://in-toto.io/Statement/v1"
	payloadType   = "application/vnd.in-toto+json"
	emptyType     = "application/vnd.oci.empty.v1+json"

	signPredicate       = "https://sigstore.dev/cosign/sign/v1"
	provenancePredicate = "https://slsa.dev/provenance/v1"
)

// The part of a Sigstore bundle (version 0.3) that a signature has, with a DSSE
// envelope: the hint of a bare key or a certificate, and the log entry if it was
// logged.
type (
	bundle struct {
		MediaType            string               `json:"mediaType"`
		VerificationMaterial verificationMaterial `json:"verificationMaterial"`
		DSSEEnvelope         envelope             `json:"dsseEnvelope"`
	}
	verificationMaterial struct {
		PublicKey   *publicKey   `json:"publicKey,omitempty"`
		Certificate *certificate `json:"certificate,omitempty"`
		TlogEntries []logEntry   `json:"tlogEntries,omitempty"`
	}
	certificate struct {
		RawBytes []byte `json:"rawBytes"`
	}
	publicKey struct {
		Hint string `json:"hint"`
	}
	envelope struct {
		Payload     []byte              `json:"payload"`
		PayloadType string              `json:"payloadType"`
		Signatures  []envelopeSignature `json:"signatures"`
	}
	envelopeSignature struct {
		Sig []byte `json:"sig"`
	}
)

// statement is an in-toto Statement v1.
type (
	statement struct {
		Type          string    `json:"_type"`
		Subject       []subject `json:"subject"`
		PredicateType string    `json:"predicateType"`
		Predicate     any       `json:"predicate"`
	}
	subject struct {
		Digest      map[string]string `json:"digest"`
		Annotations map[string]string `json:"annotations"`
	}
)

// SignBundle signs image as cosign 3 does: a Sigstore bundle whose manifest
// refers to the image, found by the referrers API, or by the referrers tag where
// the registry has no API.
func (k *Key) SignBundle(r *Registry, image oci.Reference) error {
	return k.attach(r, image, signPredicate, struct{}{})
}

// AttestBundle adds an attestation, which is no signature: a DSSE bundle whose
// predicate is SLSA provenance.
func (k *Key) AttestBundle(r *Registry, image oci.Reference) error {
	return k.attach(r, image, provenancePredicate, map[string]any{
		"buildDefinition": map[string]any{"buildType": "https://lab.example/build/v1", "externalParameters": struct{}{}},
		"runDetails":      map[string]any{"builder": map[string]string{"id": "https://lab.example/builder"}},
	})
}

// attach makes a bundle about image and pushes it as a referrer.
func (k *Key) attach(r *Registry, image oci.Reference, predicateType string, predicate any) error {
	body, err := k.bundle(image, predicateType, predicate)
	if err != nil {
		return err
	}
	repository := image.Repository.Path
	imageBody, imageType, found, err := r.manifest(repository, image.Digest.String())
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("attach to %s: no such image", image)
	}
	manifest := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  bundleType,
		Subject: &v1.Descriptor{
			MediaType: types.MediaType(imageType), Size: int64(len(imageBody)), Digest: hash(image.Digest),
		},
		Annotations: map[string]string{
			"dev.sigstore.bundle.content":       "dsse-envelope",
			"dev.sigstore.bundle.predicateType": predicateType,
			"org.opencontainers.image.created":  time.Now().UTC().Format(time.RFC3339),
		},
	}
	if manifest.Config, err = r.layer(repository, emptyType, []byte("{}")); err != nil {
		return err
	}
	manifest.Config.ArtifactType = bundleType
	layer, err := r.layer(repository, bundleType, body)
	if err != nil {
		return err
	}
	manifest.Layers = []v1.Descriptor{layer}
	return r.refer(repository, image.Digest, manifest)
}

// refer pushes manifest, whose subject is digest, and lists it under the
// referrers tag where the registry does not list it by itself (OCI distribution
// specification 1.1, "Referrers Tag Schema").
func (r *Registry) refer(repository string, digest oci.Digest, manifest v1.Manifest) error {
	d, err := r.jsonManifest(repository, "", manifest.MediaType, manifest)
	if err != nil || r.referrers {
		return err
	}
	r.updating.Lock()
	defer r.updating.Unlock()
	list := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	if err := r.decode(repository, digest.TagName(), &list); err != nil {
		return err
	}
	d.ArtifactType, d.Annotations = manifest.ArtifactType, manifest.Annotations
	list.Manifests = append(list.Manifests, d)
	_, err = r.jsonManifest(repository, digest.TagName(), types.OCIImageIndex, list)
	return err
}

// bundle returns the JSON of a bundle in which k states predicate of image.
func (k *Key) bundle(image oci.Reference, predicateType string, predicate any) ([]byte, error) {
	payload, err := json.Marshal(statement{
		Type: statementType,
		Subject: []subject{{
			Digest:      map[string]string{image.Digest.Algorithm(): image.Digest.Hex()},
			Annotations: map[string]string{},
		}},
		PredicateType: predicateType,
		Predicate:     predicate,
	})
	if err != nil {
		return nil, fmt.Errorf("encode statement: %w", err)
	}
	// The pre-authentication encoding of the DSSE protocol, version 1.
	signature, err := k.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
	if err != nil {
		return nil, err
	}
	signed := envelope{Payload: payload, PayloadType: payloadType, Signatures: []envelopeSignature{{Sig: signature}}}
	material, err := k.material(signed)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(bundle{MediaType: bundleType, VerificationMaterial: material, DSSEEnvelope: signed})
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return b, nil
}

// material is what stands beside a signed envelope.
func (k *Key) material(signed envelope) (verificationMaterial, error) {
	var m verificationMaterial
	if k.leaf != nil {
		m.Certificate = &certificate{k.leaf.Raw}
	} else {
		fingerprint := k.id()
		m.PublicKey = &publicKey{base64.StdEncoding.EncodeToString(fingerprint[:])}
	}
	if k.log == nil {
		return m, nil
	}
	text, err := json.Marshal(signed)
	if err != nil {
		return m, fmt.Errorf("encode envelope: %w", err)
	}
	entry, err := k.log.add("dsse", map[string]any{
		"envelopeHash": sha256Of(text),
		"payloadHash":  sha256Of(signed.Payload),
		"signatures": []any{map[string]any{
			"signature": base64.StdEncoding.EncodeToString(signed.Signatures[0].Sig), "verifier": k.shownPEM(),
		}},
	})
	m.TlogEntries = []logEntry{entry}
	return m, err
}
