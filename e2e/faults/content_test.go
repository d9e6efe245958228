package faults_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	mathrand "math/rand/v2"
)

const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeSimple   = "application/vnd.dev.cosign.simplesigning.v1+json"
	annotation   = "dev.cosignproject.cosign/signature"
)

// layerBytes is the size of a layer: more than any one buffer on its way.
const layerBytes = 200 << 10

// document is a manifest or an index as a registry holds it.
type document struct {
	digest, mediaType string
	bytes             []byte
}

// descriptor names content from inside a document.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// imageContent is an image with its blobs.
type imageContent struct {
	document
	config, layer string
	blobs         map[string][]byte
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func describe(mediaType string, b []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digestOf(b), Size: len(b)}
}

// encode is for values that always have a JSON text.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// imageManifest is an OCI image manifest.
type imageManifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	// Annotations hold text of which a bit can turn and leave valid JSON.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// indexManifest is an OCI image index.
type indexManifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// newImage makes an image whose content depends on random alone.
func newImage(random *mathrand.Rand, size int) imageContent {
	layer := make([]byte, size)
	for i := range layer {
		layer[i] = byte(random.Uint32())
	}
	copy(layer, []byte{0x1f, 0x8b, 8, 0}) // begins as what it is called
	config := encode(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Cmd": []string{"/bin/true"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer)}},
	})
	m := imageManifest{
		SchemaVersion: 2, MediaType: typeManifest,
		Config: describe(typeConfig, config), Layers: []descriptor{describe(typeLayer, layer)},
		Annotations: map[string]string{"text": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	}
	c := imageContent{document: newDocument(typeManifest, encode(m)), config: m.Config.Digest, layer: m.Layers[0].Digest}
	c.blobs = map[string][]byte{c.config: config, c.layer: layer}
	return c
}

func newDocument(mediaType string, b []byte) document {
	return document{digest: digestOf(b), mediaType: mediaType, bytes: b}
}

// newIndex lists documents, for a platform each.
func newIndex(children ...document) document {
	list := indexManifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{}}
	for i, child := range children {
		d := describe(child.mediaType, child.bytes)
		d.Platform = &platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i%2]}
		list.Manifests = append(list.Manifests, d)
	}
	return newDocument(typeIndex, encode(list))
}

// signer signs as cosign's first format does.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner() signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return signer{key}
}

// publicPEM is the public key, PUBLIC KEY.
func (s signer) publicPEM() string {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// payload is what is signed about a digest.
func payload(digest string) []byte {
	return []byte(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"` + digest +
		`"},"type":"cosign container image signature"},"optional":null}`)
}

// layer is the entry of a signature manifest for signed bytes.
func (s signer) layer(signed []byte) descriptor {
	sum := sha256.Sum256(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	d := describe(typeSimple, signed)
	d.Annotations = map[string]string{annotation: base64.StdEncoding.EncodeToString(signature)}
	return d
}

// signatureManifest holds signatures, given as the layers of one manifest.
func signatureManifest(layers ...descriptor) (document, []byte) {
	ids := make([]string, len(layers))
	for i, l := range layers {
		ids[i] = l.Digest
	}
	config := encode(map[string]any{
		"architecture": "", "os": "", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	})
	m := imageManifest{SchemaVersion: 2, MediaType: typeManifest, Config: describe(typeConfig, config), Layers: layers}
	return newDocument(typeManifest, encode(m)), config
}
