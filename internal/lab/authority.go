package lab

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// Authority is a certificate authority: a root, and an intermediate that issues.
type Authority struct {
	root, issuing *x509.Certificate
	issuingKey    *ecdsa.PrivateKey
}

const (
	// early is how long before now certificates begin, so that a clock that is a
	// little behind finds them valid.
	early = time.Hour
	// authorityLife is how long the certificates of an authority live.
	authorityLife = 10 * 365 * 24 * time.Hour
	// staffLife is how long an organization's own certificate lives.
	staffLife = 365 * 24 * time.Hour
	// keylessLife is how long one from Fulcio lives: nobody can use it later than
	// that, so a proof of time has to be kept beside the signature.
	keylessLife = 10 * time.Minute
)

// The extensions by which Fulcio says who vouched for the identity: bare text, and
// a UTF-8 string in DER. It writes both; cosign 2 reads the first alone.
var (
	oidIssuerText = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	oidIssuer     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
)

// NewAuthority makes an authority whose certificates call it name.
func NewAuthority(name string) (*Authority, error) {
	rootKey, err := NewKey()
	if err != nil {
		return nil, err
	}
	issuingKey, err := NewKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{issuingKey: issuingKey.private}
	if a.root, err = issue(authorityCertificate(name), nil, rootKey, rootKey.private); err != nil {
		return nil, err
	}
	a.issuing, err = issue(authorityCertificate(name+" intermediate"), a.root, issuingKey, rootKey.private)
	return a, err
}

// ChainPEM returns the intermediate and the root in PEM.
func (a *Authority) ChainPEM() string {
	return certificatePEM(a.issuing) + certificatePEM(a.root)
}

// Certify makes a key with a certificate for identity, an e-mail address or a
// URL, that lives for a year and names no OIDC issuer.
func (a *Authority) Certify(identity string) (*Key, error) {
	template, err := leafCertificate(identity, staffLife)
	if err != nil {
		return nil, err
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	key.leaf, err = issue(template, a.issuing, key, a.issuingKey)
	key.chain = []*x509.Certificate{a.issuing, a.root}
	return key, err
}

func authorityCertificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"lab"}},
		NotBefore: now.Add(-early), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func leafCertificate(identity string, life time.Duration) (*x509.Certificate, error) {
	now := time.Now()
	template := &x509.Certificate{
		NotBefore: now.Add(-time.Second), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if !strings.Contains(identity, "://") {
		template.EmailAddresses = []string{identity}
		return template, nil
	}
	u, err := url.Parse(identity)
	if err != nil {
		return nil, fmt.Errorf("certify %q: %w", identity, err)
	}
	template.URIs = []*url.URL{u}
	return template, nil
}

// withIssuer adds the OIDC issuer to template.
func withIssuer(template *x509.Certificate, issuer string) error {
	value, err := asn1.MarshalWithParams(issuer, "utf8")
	if err != nil {
		return fmt.Errorf("encode issuer %q: %w", issuer, err)
	}
	template.ExtraExtensions = append(template.ExtraExtensions,
		pkix.Extension{Id: oidIssuerText, Value: []byte(issuer)}, pkix.Extension{Id: oidIssuer, Value: value})
	return nil
}

// issue signs template for key's public half; a nil parent makes it self-signed.
// A template without a serial number gets one, so that issuing it again makes the
// same certificate but for its signature.
func issue(template, parent *x509.Certificate, key *Key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	if template.SerialNumber == nil {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
		if err != nil {
			return nil, fmt.Errorf("make serial number: %w", err)
		}
		template.SerialNumber = serial
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.private.Public(), by)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return certificate, nil
}

func certificatePEM(one *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw}))
}
