package lab

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// Sigstore is an instance of Sigstore in this process: an authority that gives
// ten-minute certificates to identities, a log of those certificates, and a log
// of signatures. It asks no identity provider: whoever is named gets the
// certificate.
type Sigstore struct {
	authority    *Authority
	certificates *Key
	log          *Log
}

// NewSigstore makes an instance with keys of its own, whose certificates call it
// name.
func NewSigstore(name string) (*Sigstore, error) {
	authority, err := NewAuthority(name)
	if err != nil {
		return nil, err
	}
	certificates, err := NewKey()
	if err != nil {
		return nil, err
	}
	log, err := NewLog()
	return &Sigstore{authority, certificates, log}, err
}

// Log returns the log of signatures.
func (s *Sigstore) Log() *Log { return s.log }

// Certify makes a key with a certificate for identity, an e-mail address or a
// URL, for whom issuer vouched. What it signs is entered in the log.
func (s *Sigstore) Certify(issuer, identity string) (*Key, error) {
	template, err := leafCertificate(identity, keylessLife)
	if err != nil {
		return nil, err
	}
	if err := withIssuer(template, issuer); err != nil {
		return nil, err
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	sct, err := published(template, key, s.authority, s.certificates)
	if err != nil {
		return nil, err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, sct)
	key.leaf, err = issue(template, s.authority.issuing, key, s.authority.issuingKey)
	key.chain, key.log = []*x509.Certificate{s.authority.issuing, s.authority.root}, s.log
	return key, err
}

// TrustedRoot returns the instance's trusted root in JSON, as documents name one.
func (s *Sigstore) TrustedRoot() ([]byte, error) {
	made, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{
		&root.FulcioCertificateAuthority{
			Root: s.authority.root, Intermediates: []*x509.Certificate{s.authority.issuing},
			ValidityPeriodStart: s.authority.root.NotBefore, URI: "https://fulcio.lab.test",
		},
	}, trustedLog("https://ct.lab.test", s.certificates), nil, trustedLog("https://rekor.lab.test", s.log.key))
	if err != nil {
		return nil, fmt.Errorf("make trusted root: %w", err)
	}
	text, err := made.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode trusted root: %w", err)
	}
	return text, nil
}

func trustedLog(url string, key *Key) map[string]*root.TransparencyLog {
	id := key.id()
	return map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
		BaseURL: url, ID: id[:], PublicKey: key.private.Public(), HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		ValidityPeriodStart: time.Now().Add(-early),
	}}
}
