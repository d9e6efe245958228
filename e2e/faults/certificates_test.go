package faults_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// certify makes a certificate for an address and its key, both PEM. Each signs
// itself and is trusted by itself.
func certify(serial int64, address string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "gateway"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(address)}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

// certificates is a gateway with TLS whose files change in one of these ways:
// rotated, mismatched (the key is of another certificate), half-written.
func certificates(how string) processFault {
	var first, second, secondKey []byte
	place := func(dir, name string, b []byte) error {
		partial := filepath.Join(dir, "."+name)
		return errors.Join(os.WriteFile(partial, b, 0o600), os.Rename(partial, filepath.Join(dir, name)))
	}
	return processFault{
		env: func(dir string) ([]string, error) {
			var key []byte
			var err, secondErr error
			first, key, err = certify(1, "127.0.0.1")
			second, secondKey, secondErr = certify(2, "127.0.0.1")
			err = errors.Join(err, secondErr, place(dir, "tls.crt", first), place(dir, "tls.key", key))
			return []string{
				"VOUCHSAFE_TLS_CERT_FILE=" + filepath.Join(dir, "tls.crt"), "VOUCHSAFE_TLS_KEY_FILE=" + filepath.Join(dir, "tls.key"),
			}, err
		},
		begin: func(l *lab) error {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(first)
			roots.AppendCertsFromPEM(second)
			l.trust(roots)
			serial := int64(1)
			var err error
			switch how {
			case "rotated":
				err = errors.Join(place(l.process.dir, "tls.crt", second), place(l.process.dir, "tls.key", secondKey))
				serial = 2
			case "mismatched":
				err = place(l.process.dir, "tls.crt", second)
			case "half-written":
				err = place(l.process.dir, "tls.key", secondKey[:60])
			}
			if err != nil {
				return err
			}
			if serial == 1 {
				time.Sleep(3 * time.Second) // what is not taken has no sign
			}
			return l.process.await(fmt.Sprintf("present certificate %d", serial), func() bool { return l.serial(roots) == serial })
		},
		end: func(l *lab) error {
			roots := l.client.Transport.(*http.Transport).TLSClientConfig.RootCAs
			if err := errors.Join(place(l.process.dir, "tls.crt", second), place(l.process.dir, "tls.key", secondKey)); err != nil {
				return err
			}
			return l.process.await("present the new certificate", func() bool { return l.serial(roots) == 2 })
		},
	}
}

// trust makes clients trust roots, with a connection for each request.
func (l *lab) trust(roots *x509.CertPool) {
	l.client.Transport = &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
}

// serial is that of the certificate that the gateway presents now.
func (l *lab) serial(roots *x509.CertPool) int64 {
	conn, err := tls.Dial("tcp", l.process.host, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		return 0
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}
