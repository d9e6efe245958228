package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Certificate is a certificate with its key and those above it.
type Certificate struct {
	// X509 is the certificate itself.
	X509 *x509.Certificate

	key    *ecdsa.PrivateKey
	issuer *Certificate // nil for a root
}

// NewRoot makes the certificate of a root: a year old, and good for another.
func NewRoot(tb testing.TB, name string) *Certificate {
	tb.Helper()
	return certify(tb, authority(name), nil)
}

// NewIssuing makes a root and, below it, an authority that certifies those who
// sign, as an organisation has them.
func NewIssuing(tb testing.TB, name string) *Certificate {
	tb.Helper()
	return NewRoot(tb, name).Intermediate(tb, name+" issuing", x509.ExtKeyUsageCodeSigning)
}

// Intermediate makes an authority below c whose certificates are good for one
// use.
func (c *Certificate) Intermediate(tb testing.TB, name string, use x509.ExtKeyUsage) *Certificate {
	tb.Helper()
	template := authority(name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{use}
	template.MaxPathLenZero = true
	return certify(tb, template, c)
}

// Signer is what a certificate for signing code says.
type Signer struct {
	// Email is the identity.
	Email string
	// Issuer is who is said to vouch for it; empty leaves that out.
	Issuer string
	// NotBefore and NotAfter bound its time; zero means an hour ago and a year
	// from now.
	NotBefore, NotAfter time.Time
}

// Sign makes a certificate for signing code.
func (c *Certificate) Sign(tb testing.TB, signer Signer) *Certificate {
	tb.Helper()
	template := &x509.Certificate{
		Subject:        pkix.Name{CommonName: "signer"},
		NotBefore:      signer.NotBefore,
		NotAfter:       signer.NotAfter,
		KeyUsage:       x509.KeyUsageDigitalSignature,
		ExtKeyUsage:    []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		EmailAddresses: []string{signer.Email},
	}
	if signer.Issuer != "" {
		// Fulcio's extension for the issuer, first the bare text and then as DER.
		text, err := asn1.MarshalWithParams(signer.Issuer, "utf8")
		check(tb, err)
		template.ExtraExtensions = []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(signer.Issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: text},
		}
	}
	return certify(tb, template, c)
}

// Stamps makes, below a root, an authority for timestamps and the certificate that
// signs them.
func (c *Certificate) Stamps(tb testing.TB) *Certificate {
	tb.Helper()
	return c.Intermediate(tb, "stamps issuing", x509.ExtKeyUsageTimeStamping).stamper(tb)
}

// stamper makes a certificate for signing timestamps. RFC 3161, 2.3 wants its
// use to be critical, which no field of a template says.
func (c *Certificate) stamper(tb testing.TB) *Certificate {
	tb.Helper()
	use, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	check(tb, err)
	return certify(tb, &x509.Certificate{
		Subject:         pkix.Name{CommonName: "stamper"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: use}},
	}, c)
}

// PEM returns the certificate alone.
func (c *Certificate) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.X509.Raw}))
}

// PrivateKey returns the key of the certificate, PEM, not encrypted.
func (c *Certificate) PrivateKey(tb testing.TB) string {
	tb.Helper()
	return privatePEM(tb, c.key)
}

// Chain returns the certificate and all above it, the root last.
func (c *Certificate) Chain() string {
	if c.issuer == nil {
		return c.PEM()
	}
	return c.PEM() + c.issuer.Chain()
}

// Issuer returns the certificate above c; nil above a root.
func (c *Certificate) Issuer() *Certificate { return c.issuer }

func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: []string{"sigstore of the tests"}},
		// Older than what it certifies, which may have ended yesterday.
		NotBefore:             time.Now().AddDate(-1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
}

// certify makes a key and its certificate; issuer is nil for a root.
func certify(tb testing.TB, template *x509.Certificate, issuer *Certificate) *Certificate {
	tb.Helper()
	made := &Certificate{key: newKey(tb), issuer: issuer}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().AddDate(1, 0, 0)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(tb, err)
	template.SerialNumber = serial
	above, by := template, made.key
	if issuer != nil {
		above, by = issuer.X509, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, above, made.key.Public(), by)
	check(tb, err)
	made.X509, err = x509.ParseCertificate(der)
	check(tb, err)
	return made
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(tb, err)
	return key
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
