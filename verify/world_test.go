package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

const (
	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	bundleAnnotation      = "dev.sigstore.cosign/bundle"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	bundleV03             = "application/vnd.dev.sigstore.bundle.v0.3+json"
	signPredicate         = "https://sigstore.dev/cosign/sign/v1"
)

// signer signs as cosign does.
type signer struct {
	key  crypto.Signer
	hash crypto.Hash
}

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return signer{key, crypto.SHA256}
}

// fixedSigner is the same in every process, as a fuzzer's workers need it.
func fixedSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	check(t, err)
	return signer{key, crypto.SHA256}
}

func (s signer) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	digest := message
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	signature, err := s.key.Sign(rand.Reader, digest, s.hash)
	check(t, err)
	return signature
}

func (s signer) pem(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (s signer) integration(t testing.TB, name string) *verify.Integration {
	t.Helper()
	in, err := verify.NewIntegration(name, verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: name, Key: s.pem(t)}}})
	check(t, err)
	return in
}

func claimOf(digest oci.Digest) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
}

// layer is one signature layer of a .sig image.
type layer struct {
	mediaType   string
	payload     []byte
	size        int64
	annotations map[string]string
}

func (s signer) layer(t testing.TB, digest oci.Digest) layer {
	t.Helper()
	payload := claimOf(digest)
	return layer{payload: payload, annotations: map[string]string{
		signatureAnnotation: base64.StdEncoding.EncodeToString(s.sign(t, payload)),
	}}
}

// item is the layer as evidence.
func (l layer) item() verify.Item {
	return verify.Item{Format: verify.FormatSimpleSigning, Digest: oci.SHA256(l.payload), Payload: l.payload, Annotations: l.annotations}
}

// statement is an in-toto statement about digest.
func statement(digest oci.Digest, predicate string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{%q:%q}}],"predicateType":%q,"predicate":{}}`,
		digest.Algorithm(), digest.Hex(), predicate)
}

// envelope returns a bundle whose DSSE envelope holds payload.
func (s signer) envelope(t testing.TB, payload []byte) []byte {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	return fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`,
		bundleV03, base64.StdEncoding.EncodeToString(payload), payloadType, base64.StdEncoding.EncodeToString(s.sign(t, pae)))
}

func (s signer) bundle(t testing.TB, digest oci.Digest) []byte {
	t.Helper()
	return s.envelope(t, statement(digest, signPredicate))
}

// message returns a bundle with a signature over the image's own bytes.
func (s signer) message(t testing.TB, image []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(image)
	return fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"x"}},"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":%q},"signature":%q}}`,
		bundleV03, base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(s.sign(t, image)))
}

func bundleItem(payload []byte) verify.Item {
	return verify.Item{Format: verify.FormatBundle, Digest: oci.SHA256(payload), Payload: payload}
}

func allKinds(t testing.TB) map[string]signer {
	t.Helper()
	kinds := map[string]signer{}
	for _, c := range []struct {
		curve elliptic.Curve
		hash  crypto.Hash
	}{
		{elliptic.P256(), crypto.SHA256},
		{elliptic.P384(), crypto.SHA256},
		{elliptic.P384(), crypto.SHA384},
		{elliptic.P521(), crypto.SHA256},
		{elliptic.P521(), crypto.SHA512},
	} {
		key, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		check(t, err)
		kinds[c.curve.Params().Name+" "+c.hash.String()] = signer{key, c.hash}
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	kinds["RSA"] = signer{rsaKey, crypto.SHA256}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	kinds["Ed25519"] = signer{edKey, 0}
	return kinds
}

// world is a registry that holds whatever a test says, true or hostile.
type world struct {
	t      testing.TB
	server *httptest.Server
	mu     sync.Mutex
	// content is by path below /v2/; answers win over it.
	content map[string]served
	answers map[string]http.HandlerFunc
}

type served struct {
	mediaType string
	body      []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, content: map[string]served{}, answers: map[string]http.HandlerFunc{}}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	w.mu.Lock()
	answer, special := w.answers[path]
	content, found := w.content[path]
	w.mu.Unlock()
	switch {
	case special:
		answer(rw, r)
	case !found:
		http.NotFound(rw, r)
	default:
		rw.Header().Set("Content-Type", content.mediaType)
		_, _ = rw.Write(content.body)
	}
}

func (w *world) host() string { return strings.TrimPrefix(w.server.URL, "http://") }

func (w *world) repository(path string) oci.Repository {
	return oci.Repository{Registry: w.host(), Path: path}
}

func (w *world) set(path, mediaType string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.content[path] = served{mediaType, body}
}

func (w *world) answer(path string, with http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[path] = with
}

func (w *world) blob(repository string, body []byte) oci.Digest {
	digest := oci.SHA256(body)
	w.set(repository+"/blobs/"+digest.String(), "application/octet-stream", body)
	return digest
}

func (w *world) tag(repository, tag, mediaType string, manifest any) oci.Digest {
	body, err := json.Marshal(manifest)
	check(w.t, err)
	w.set(repository+"/manifests/"+tag, mediaType, body)
	w.set(repository+"/manifests/"+oci.SHA256(body).String(), mediaType, body)
	return oci.SHA256(body)
}

type object = map[string]any

// config is the empty config of the image specification.
func (w *world) config(repository string) object {
	digest := w.blob(repository, []byte("{}"))
	return object{"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest, "size": 2}
}

// sig writes the image under the .sig tag of digest.
func (w *world) sig(repository string, digest oci.Digest, layers ...layer) {
	list := []object{}
	for _, l := range layers {
		one := object{"mediaType": l.mediaType, "digest": w.blob(repository, l.payload), "size": l.size}
		if l.annotations != nil {
			one["annotations"] = l.annotations
		}
		if l.mediaType == "" {
			one["mediaType"] = oci.MediaTypeSimpleSigning
		}
		if l.size == 0 {
			one["size"] = len(l.payload)
		}
		list = append(list, one)
	}
	w.tag(repository, digest.TagName()+".sig", oci.MediaTypeImageManifest, object{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "config": w.config(repository), "layers": list,
	})
}

// referrer writes a manifest that holds bundle and returns its entry for a list.
func (w *world) referrer(repository string, subject oci.Digest, bundle []byte) object {
	manifest := object{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest, "artifactType": bundleV03,
		"config":  w.config(repository),
		"layers":  []object{{"mediaType": bundleV03, "digest": w.blob(repository, bundle), "size": len(bundle)}},
		"subject": object{"mediaType": oci.MediaTypeImageManifest, "digest": subject, "size": 2},
	}
	body, err := json.Marshal(manifest)
	check(w.t, err)
	digest := oci.SHA256(body)
	w.set(repository+"/manifests/"+digest.String(), oci.MediaTypeImageManifest, body)
	return object{"mediaType": oci.MediaTypeImageManifest, "digest": digest, "size": len(body), "artifactType": bundleV03}
}

func index(entries ...object) object {
	if entries == nil {
		entries = []object{}
	}
	return object{"schemaVersion": 2, "mediaType": oci.MediaTypeImageIndex, "manifests": entries}
}

// api makes the referrers API answer with entries.
func (w *world) api(repository string, subject oci.Digest, entries ...object) {
	body, err := json.Marshal(index(entries...))
	check(w.t, err)
	w.set(repository+"/referrers/"+subject.String(), oci.MediaTypeImageIndex, body)
}

// referrersTag writes the tag in place of the API.
func (w *world) referrersTag(repository string, subject oci.Digest, entries ...object) {
	w.tag(repository, subject.ReferrersTag(), oci.MediaTypeImageIndex, index(entries...))
}

// collect collects with a source of its own.
func (w *world) collect(repository string, digest oci.Digest) verify.Evidence {
	source := newSource()
	defer source.close()
	return (&verify.Collector{Source: source}).Collect(w.t.Context(), w.repository(repository), digest)
}

func someImage(seed string) oci.Digest { return oci.SHA256([]byte("image " + seed)) }

func sha512Digest(t testing.TB, b []byte) oci.Digest {
	sum := sha512.Sum512(b)
	return parseDigest(t, "sha512:"+hex.EncodeToString(sum[:]))
}

func replace(b []byte, old, with string) []byte {
	return bytes.Replace(b, []byte(old), []byte(with), 1)
}
