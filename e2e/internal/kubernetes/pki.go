package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is the certificate authority of the cluster. Every certificate of it
// serves and identifies, for one day.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// pair is a certificate with its key, as files in PEM.
type pair struct{ cert, key string }

// newAuthority makes an authority and writes its certificate into ca.crt.
func newAuthority(folder string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e cluster"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a := &authority{folder: folder, key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, a.write("ca.crt", "CERTIFICATE", der)
}

// ca is the file with the authority's certificate.
func (a *authority) ca() string { return filepath.Join(a.folder, "ca.crt") }

// issue makes the certificate of a user, in Kubernetes' sense, who is also a
// server under each of the names.
func (a *authority) issue(file string, subject pkix.Name, names ...string) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return pair{}, err
	}
	if err := a.write(file+".crt", "CERTIFICATE", der); err != nil {
		return pair{}, err
	}
	path, err := a.writeKey(file+".key", key)
	return pair{filepath.Join(a.folder, file+".crt"), path}, err
}

// writeKey writes a private key into a file and returns its path.
func (a *authority) writeKey(file string, key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return filepath.Join(a.folder, file), a.write(file, "PRIVATE KEY", der)
}

func (a *authority) write(file, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return os.WriteFile(filepath.Join(a.folder, file), text, 0o600)
}

// serviceAccounts makes the key pair that signs and verifies the tokens of
// service accounts.
func (a *authority) serviceAccounts() (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	private, err := a.writeKey("sa.key", key)
	if err != nil {
		return pair{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return pair{}, err
	}
	return pair{filepath.Join(a.folder, "sa.pub"), private}, a.write("sa.pub", "PUBLIC KEY", der)
}

// kubeconfig writes the configuration of a client of the API server.
func (a *authority) kubeconfig(file string, user pair) (string, error) {
	const text = `apiVersion: v1
kind: Config
clusters: [{name: e2e, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: e2e, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: e2e, context: {cluster: e2e, user: e2e}}]
current-context: e2e
`
	path := filepath.Join(a.folder, file+".kubeconfig")
	return path, os.WriteFile(path, fmt.Appendf(nil, text, apiURL, a.ca(), user.cert, user.key), 0o600)
}
