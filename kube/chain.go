package kube

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// maxAuthorities bounds the authorities of a chain: two in the regular course,
// more when a Secret is spoilt again and again.
const maxAuthorities = 8

// chain is everything that a Store keeps: the authorities, the oldest first, and
// the serving certificate. Values are not changed.
type chain struct {
	authorities []authority
	serving     serving
}

// errBroken is what a Store holds and no replica wrote.
var errBroken = errors.New("not what was written there")

// readChain reads what a Store keeps. Whatever does not belong together is an
// errBroken: a key of another certificate, a certificate by none of the
// authorities, a second certificate.
func readChain(parts map[string][]byte) (chain, error) {
	certs, err := readCerts(parts[partAuthorities])
	if err != nil {
		return chain{}, fmt.Errorf("%s: %w", partAuthorities, err)
	}
	keys, err := readKeys(parts[partAuthorityKeys])
	if err != nil {
		return chain{}, fmt.Errorf("%s: %w", partAuthorityKeys, err)
	}
	leaves, err := readCerts(parts[partCertificate])
	if err != nil {
		return chain{}, fmt.Errorf("%s: %w", partCertificate, err)
	}
	leafKeys, err := readKeys(parts[partKey])
	if err != nil {
		return chain{}, fmt.Errorf("%s: %w", partKey, err)
	}
	if len(certs) == 0 || len(certs) > maxAuthorities || len(leaves) != 1 || len(leafKeys) != 1 {
		return chain{}, fmt.Errorf("%w: %d authorities, %d certificates, %d keys", errBroken, len(certs), len(leaves), len(leafKeys))
	}
	c := chain{serving: serving{cert: leaves[0], key: leafKeys[0]}}
	for _, cert := range certs {
		if !cert.IsCA || cert.CheckSignatureFrom(cert) != nil {
			return chain{}, fmt.Errorf("%w: %s holds a certificate that is no authority", errBroken, partAuthorities)
		}
		a := authority{cert: cert}
		for _, key := range keys {
			if key.PublicKey.Equal(cert.PublicKey) {
				a.key = key
			}
		}
		c.authorities = append(c.authorities, a)
	}
	if !c.serving.key.PublicKey.Equal(c.serving.cert.PublicKey) {
		return chain{}, fmt.Errorf("%w: %s is not the key of %s", errBroken, partKey, partCertificate)
	}
	if c.serving.issuer = c.find(c.serving.cert); c.serving.issuer == nil {
		return chain{}, fmt.Errorf("%w: %s is by none of the authorities", errBroken, partCertificate)
	}
	return c, nil
}

// issuer returns the authority of the serving certificate, nil without one or
// when it has left.
func (c chain) issuer() *x509.Certificate {
	if c.serving.cert == nil || !slices.ContainsFunc(c.authorities, func(a authority) bool { return a.cert.Equal(c.serving.issuer) }) {
		return nil
	}
	return c.serving.issuer
}

// find returns the authority that signed a certificate, nil for none.
func (c chain) find(cert *x509.Certificate) *x509.Certificate {
	for _, a := range c.authorities {
		if cert.CheckSignatureFrom(a.cert) == nil {
			return a.cert
		}
	}
	return nil
}

// parts are what a Store is given to keep.
func (c chain) parts() (map[string][]byte, error) {
	var keys bytes.Buffer
	for _, a := range c.authorities {
		if a.key != nil {
			b, err := keyPEM(a.key)
			if err != nil {
				return nil, err
			}
			keys.Write(b)
		}
	}
	key, err := keyPEM(c.serving.key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		partAuthorities: bundle(c.certs()), partAuthorityKeys: keys.Bytes(),
		partCertificate: certPEM(c.serving.cert), partKey: key,
	}, nil
}

// certs are the certificates of the authorities.
func (c chain) certs() []*x509.Certificate {
	all := make([]*x509.Certificate, len(c.authorities))
	for i, a := range c.authorities {
		all[i] = a.cert
	}
	return all
}

// pair is the serving certificate as a listener shows it.
func (c chain) pair() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{c.serving.cert.Raw}, PrivateKey: c.serving.key, Leaf: c.serving.cert}
}

// keyed returns the authorities that may still sign, the newest first.
func (c chain) keyed() []authority {
	var all []authority
	for _, a := range slices.Backward(c.authorities) {
		if a.key != nil {
			all = append(all, a)
		}
	}
	return all
}

// bundle is the certificates in PEM, as a configuration holds them.
func bundle(certs []*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range certs {
		b.Write(certPEM(cert))
	}
	return b.Bytes()
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// readCerts reads PEM that holds certificates and nothing else.
func readCerts(b []byte) (all []*x509.Certificate, err error) {
	err = blocks(b, "CERTIFICATE", func(der []byte) error {
		cert, err := x509.ParseCertificate(der)
		all = append(all, cert)
		return err
	})
	return all, err
}

// readKeys reads PEM that holds ECDSA keys and nothing else. Its errors have no
// text of a key.
func readKeys(b []byte) (all []*ecdsa.PrivateKey, err error) {
	err = blocks(b, "PRIVATE KEY", func(der []byte) error {
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return errors.New("a key that cannot be read")
		}
		ec, ok := key.(*ecdsa.PrivateKey)
		if !ok {
			return fmt.Errorf("a key of the type %T", key)
		}
		all = append(all, ec)
		return nil
	})
	return all, err
}

// blocks calls read with each block of PEM, all of which are of one type.
func blocks(b []byte, kind string, read func(der []byte) error) error {
	if len(b) > maxPartBytes {
		return fmt.Errorf("%w: %w", errBroken, errPartTooLarge)
	}
	for len(bytes.TrimSpace(b)) > 0 {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != kind {
			return fmt.Errorf("%w: no PEM of the type %s", errBroken, kind)
		}
		if err := read(block.Bytes); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		b = rest
	}
	return nil
}
