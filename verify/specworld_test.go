package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	x500 "crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// specNow is when the documents of these tests are read.
var specNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// issued is one certificate with its key.
type issued struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func (i issued) pem() string { return block("CERTIFICATE", i.certificate.Raw) }

// issue makes a certificate, valid around specNow, by parent or by itself.
func issue(t testing.TB, name string, parent *issued, change func(*x509.Certificate)) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return issueWith(t, name, parent, key, change)
}

func issueWith(t testing.TB, name string, parent *issued, key crypto.Signer, change func(*x509.Certificate)) issued {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: x500.Name{CommonName: name},
		NotBefore: specNow.Add(-time.Hour), NotAfter: specNow.Add(time.Hour), BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	by := issued{template, key}
	if parent != nil {
		by = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	check(t, err)
	certificate, err := x509.ParseCertificate(der)
	check(t, err)
	return issued{certificate, key}
}

func authority(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

// person makes a leaf for code of an e-mail address.
func person(address string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.EmailAddresses, c.ExtKeyUsage = []string{address}, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		vouchedFor(c)
	}
}

func workflow(t testing.TB, identity string) func(*x509.Certificate) {
	t.Helper()
	u, err := url.Parse(identity)
	check(t, err)
	return func(c *x509.Certificate) {
		c.URIs, c.ExtKeyUsage = []*url.URL{u}, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		vouchedFor(c)
	}
}

// vouchedFor adds the issuer that own wants.
func vouchedFor(c *x509.Certificate) {
	c.ExtraExtensions = append(c.ExtraExtensions, x500.Extension{
		Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte("https://ci.corp.example"),
	})
}

func timestamper(t testing.TB) func(*x509.Certificate) {
	t.Helper()
	use, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	check(t, err)
	return func(c *x509.Certificate) {
		c.ExtraExtensions = []x500.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: use}}
	}
}

// specPKI is an organization's own hierarchy.
type specPKI struct{ root, middle, lower, leaf, other, tsa issued }

func newSpecPKI(t testing.TB) specPKI {
	t.Helper()
	var p specPKI
	p.root = issue(t, "own root", nil, authority)
	p.middle = issue(t, "own middle", &p.root, authority)
	p.lower = issue(t, "own lower", &p.middle, authority)
	p.leaf = issue(t, "builder", &p.lower, person("builder@corp.example"))
	p.other = issue(t, "other root", nil, authority)
	p.tsa = issue(t, "own tsa", &p.middle, timestamper(t))
	return p
}

func (p specPKI) chain() string { return p.lower.pem() + p.root.pem() + p.middle.pem() }

// smallRSA has a key that nobody should trust.
func smallRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	return key
}

// filesOf reads names from content alone.
func filesOf(content map[string]string) verify.Files {
	return func(name string) ([]byte, error) {
		text, found := content[name]
		if !found {
			return nil, errors.New(name + ": " + fs.ErrNotExist.Error())
		}
		return []byte(text), nil
	}
}

func trustFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, "trust", name))
	check(t, err)
	return string(text)
}

// loaded reads spec at specNow.
func loaded(spec verify.Spec, files map[string]string) (*verify.Integration, error) {
	return verify.LoadIntegration("release", spec, verify.LoadOptions{
		Files: filesOf(files), Now: func() time.Time { return specNow },
	})
}

// wantProblem fails unless err is one problem: "path: part of message", with
// "warning: " before it when it is one. "" wants none.
func wantProblem(t *testing.T, in *verify.Integration, err error, want string) {
	t.Helper()
	var got []string
	mistakes := 0
	for _, f := range oci.FieldErrors(err) {
		text := f.Error()
		if f.Warning {
			text = "warning: " + text
		} else {
			mistakes++
		}
		got = append(got, text)
		if len(text) > 600 {
			t.Errorf("got %d characters: %s", len(text), text)
		}
	}
	if (in == nil) != (mistakes > 0) {
		t.Errorf("got the integration %v beside %d mistakes", in != nil, mistakes)
	}
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("got %q, want none", got)
	case want == "":
	case len(got) != 1:
		t.Errorf("got %d problems %q, want %q", len(got), got, want)
	default:
		path, message, _ := strings.Cut(want, ": ")
		if path == "warning" {
			path, message, _ = strings.Cut(message, ": ")
			path = "warning: " + path
		}
		if !strings.HasPrefix(got[0], path+": ") || !strings.Contains(got[0], message) {
			t.Errorf("got %q, want %q", got[0], want)
		}
	}
}
