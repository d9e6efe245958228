package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/oci"
)

// labNow is the now of tests with the lab's own certificates.
var labNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func labKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

// labAuthority is a root with an intermediate.
type labAuthority struct {
	root, middle       *x509.Certificate
	rootKey, middleKey *ecdsa.PrivateKey
}

// span is a time of validity in days around labNow; zero is ten years.
type span struct{ from, to int }

func (s span) times() (time.Time, time.Time) {
	if s == (span{}) {
		s = span{-3650, 3650}
	}
	return labNow.AddDate(0, 0, s.from), labNow.AddDate(0, 0, s.to)
}

func labCertificate(t testing.TB, s span, change func(*x509.Certificate), parent *x509.Certificate, public crypto.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62)))(t),
		Subject:      pkix.Name{CommonName: "lab"},
	}
	template.NotBefore, template.NotAfter = s.times()
	change(template)
	if parent == nil {
		parent = template
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, parent, public, by))(t)))(t)
}

func newAuthority(t testing.TB, rootSpan, middleSpan span) *labAuthority {
	t.Helper()
	a := &labAuthority{rootKey: labKey(t), middleKey: labKey(t)}
	authority := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = name, true, true
			c.KeyUsage = x509.KeyUsageCertSign
		}
	}
	a.root = labCertificate(t, rootSpan, authority("root"), nil, a.rootKey.Public(), a.rootKey)
	a.middle = labCertificate(t, middleSpan, authority("middle"), a.root, a.middleKey.Public(), a.rootKey)
	return a
}

func (a *labAuthority) trusted() []root.CertificateAuthority {
	return authorityOf([]*x509.Certificate{a.middle, a.root})
}

// labSigner signs payloads with a key and, when it has one, a certificate.
type labSigner struct {
	key  *ecdsa.PrivateKey
	leaf *x509.Certificate
}

// leaf is a signer with a certificate for builder@corp.example.
func (a *labAuthority) leaf(t testing.TB, s span, changes ...func(*x509.Certificate)) labSigner {
	t.Helper()
	key := labKey(t)
	return labSigner{key, labCertificate(t, s, func(c *x509.Certificate) {
		c.EmailAddresses = []string{ownIdentity}
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		c.ExtraExtensions = []pkix.Extension{{Id: oidIssuer, Value: must(asn1.MarshalWithParams(ownIssuer, "utf8"))(t)}}
		for _, change := range changes {
			change(c)
		}
	}, a.middle, key.Public(), a.middleKey)}
}

func withURI(t testing.TB, text string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.EmailAddresses, c.URIs = nil, []*url.URL{must(url.Parse(text))(t)}
	}
}

var labDigest = oci.SHA256([]byte("image of the lab"))

func labPayload(digest oci.Digest, reference string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, reference, digest)
}

// sign signs payload as cosign does.
func (s labSigner) sign(t testing.TB, payload []byte) Item {
	t.Helper()
	sum := sha256.Sum256(payload)
	signature := must(ecdsa.SignASN1(rand.Reader, s.key, sum[:]))(t)
	item := Item{Format: FormatSimpleSigning, Digest: oci.SHA256(payload), Payload: payload, Annotations: map[string]string{
		"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signature),
	}}
	if s.leaf != nil {
		item.Annotations["dev.sigstore.cosign/certificate"] = certificatePEM(s.leaf)
	}
	return item
}

func (s labSigner) image(t testing.TB) Item {
	return s.sign(t, labPayload(labDigest, "registry.test/app"))
}

func (s labSigner) trusted(t testing.TB, w window) []*trustedKey {
	t.Helper()
	key := must(newTrustedKey("lab key", s.key.Public()))(t)
	key.window = w
	return []*trustedKey{key}
}

func certificatePEM(one *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw}))
}

func publicPEM(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(public))(t)}))
}

// labLog is a Rekor v1.
type labLog struct {
	key *ecdsa.PrivateKey
	raw []byte
	id  string
}

func newLog(t testing.TB) labLog {
	t.Helper()
	key := labKey(t)
	id := sha256.Sum256(must(x509.MarshalPKIXPublicKey(key.Public()))(t))
	return labLog{key, id[:], hex.EncodeToString(id[:])}
}

func (l labLog) trusted() map[string]*root.TransparencyLog {
	return map[string]*root.TransparencyLog{l.id: {
		ID: l.raw, PublicKey: l.key.Public(), HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		ValidityPeriodStart: time.Unix(0, 0),
	}}
}

func (l labLog) sign(t testing.TB, text []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(text)
	return must(ecdsa.SignASN1(rand.Reader, l.key, sum[:]))(t)
}

// body is the entry that cosign has made of item. verifier is a key or a
// certificate in PEM.
func entryBody(item Item, verifier string) string {
	sum := sha256.Sum256(item.Payload)
	return fmt.Sprintf(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},"signature":{"content":%q,"publicKey":{"content":%q}}}}`,
		sum, item.Annotations["dev.cosignproject.cosign/signature"], base64.StdEncoding.EncodeToString([]byte(verifier)))
}

// entry is the annotation for body, taken at some time.
func (l labLog) entry(t testing.TB, body string, at time.Time) string {
	t.Helper()
	encoded := base64.StdEncoding.EncodeToString([]byte(body))
	payload := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":%q,"logIndex":7}`, encoded, at.Unix(), l.id)
	set := l.sign(t, []byte(payload))
	return fmt.Sprintf(`{"SignedEntryTimestamp":%q,"Payload":%s}`, base64.StdEncoding.EncodeToString(set), payload)
}

// logged is item with an entry of l taken at some time.
func (l labLog) logged(t testing.TB, s labSigner, item Item, at time.Time) Item {
	t.Helper()
	verifier := publicPEM(t, s.key.Public())
	if s.leaf != nil {
		verifier = certificatePEM(s.leaf)
	}
	return annotated(item, "dev.sigstore.cosign/bundle", l.entry(t, entryBody(item, verifier), at))
}

// checkpoint is the tree head of a tree that holds body alone, in the form of a
// Rekor v1.
func (l labLog) checkpoint(t testing.TB, leafHash []byte) string {
	t.Helper()
	note := fmt.Sprintf("lab.test - 42\n1\n%s\n", base64.StdEncoding.EncodeToString(leafHash))
	hint := sha256.Sum256(must(x509.MarshalPKIXPublicKey(l.key.Public()))(t))
	return note + "\n— lab.test " + base64.StdEncoding.EncodeToString(append(hint[:4:4], l.sign(t, []byte(note))...)) + "\n"
}

func annotated(item Item, name, value string) Item {
	changed := map[string]string{}
	for k, v := range item.Annotations {
		changed[k] = v
	}
	changed[name] = value
	item.Annotations = changed
	return item
}

func labEvidence(items ...Item) Evidence {
	return Evidence{Repository: oci.Repository{Registry: "registry.test", Path: "app"}, Digest: labDigest, Items: items}
}

func (a *labAuthority) rule() *certificateRule {
	return &certificateRule{
		identity: matcher{exact: ownIdentity}, issuer: matcher{exact: ownIssuer}, authorities: a.trusted(), ownChain: true,
	}
}

// statementBundle is a bundle that holds a statement, signed by s.
func (s labSigner) statementBundle(t testing.TB, statement []byte) Item {
	t.Helper()
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(intotoPayload), intotoPayload, len(statement), statement)
	sum := sha256.Sum256(pae)
	signature := must(ecdsa.SignASN1(rand.Reader, s.key, sum[:]))(t)
	material := map[string]any{"publicKey": map[string]any{"hint": ""}}
	if s.leaf != nil {
		material = map[string]any{"certificate": map[string]any{"rawBytes": s.leaf.Raw}}
	}
	return Item{Format: FormatBundle, Payload: must(json.Marshal(map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": material,
		"dsseEnvelope": map[string]any{
			"payload": statement, "payloadType": intotoPayload, "signatures": []any{map[string]any{"sig": signature}},
		},
	}))(t)}
}

func signStatement(digest oci.Digest) []byte {
	return fmt.Appendf(nil, `{"_type":%q,"subject":[{"digest":{%q:%q}}],"predicateType":%q,"predicate":{}}`,
		statementV1, digest.Algorithm(), digest.Hex(), signPredicate)
}

// withEntry is a bundle with one log entry, given as JSON.
func withEntry(item Item, entry string) Item {
	item.Payload = bytes.Replace(item.Payload, []byte(`"verificationMaterial":{`), []byte(`"verificationMaterial":{"tlogEntries":[`+entry+`],`), 1)
	return item
}

func contains(t *testing.T, message, part string) {
	t.Helper()
	if !strings.Contains(message, part) {
		t.Errorf("got message %q, want %q in it", message, part)
	}
}
