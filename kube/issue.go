package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Lives of what is issued.
const (
	authorityLife = 365 * 24 * time.Hour
	servingLife   = 90 * 24 * time.Hour
	// backdated is how far before its making a certificate begins, for clocks that
	// differ.
	backdated = 5 * time.Minute
)

// authority is one certificate authority, with its key as long as it may sign.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// serving is the certificate that the listener shows, and the authority that
// signed it.
type serving struct {
	cert, issuer *x509.Certificate
	key          *ecdsa.PrivateKey
}

// newAuthority makes an authority whose name is its own: with two of one name a
// client could build a chain to the wrong one and give up.
func newAuthority(now time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, fmt.Errorf("make key of authority: %w", err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return authority{}, fmt.Errorf("make key of authority: %w", err)
	}
	sum := sha256.Sum256(point)
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "vouchsafe webhook authority " + hex.EncodeToString(sum[:8])},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLife),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		SubjectKeyId: sum[:20],
	}
	cert, err := sign(template, template, key, key)
	return authority{cert: cert, key: key}, err
}

// issue makes a serving certificate for names, which ends no later than its
// authority.
func (a authority) issue(names []string, now time.Time) (serving, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return serving{}, fmt.Errorf("make key of certificate: %w", err)
	}
	end := now.Add(servingLife)
	if a.cert.NotAfter.Before(end) {
		end = a.cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "vouchsafe webhook"},
		NotBefore: now.Add(-backdated), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, net.IP(ip.AsSlice()))
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, err := sign(template, a.cert, key, a.key)
	return serving{cert: cert, issuer: a.cert, key: key}, err
}

// sign makes a certificate for the key of its holder.
func sign(template, by *x509.Certificate, holder, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, template, by, &holder.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// old reports whether two thirds of the life of a certificate are over.
func old(cert *x509.Certificate, now time.Time) bool {
	begin := cert.NotBefore.Add(backdated)
	return !now.Before(begin.Add(cert.NotAfter.Sub(begin) / 3 * 2))
}

// over reports whether the time of cert has ended. One that has not begun yet is
// none of our business: it was made by a replica whose clock is ahead.
func over(cert *x509.Certificate, now time.Time) bool { return !now.Before(cert.NotAfter) }

// covers reports whether cert is good for all of names.
func covers(cert *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		if strings.Contains(name, ":") {
			name = "[" + name + "]"
		}
		return cert.VerifyHostname(name) != nil
	})
}

// nameable reports whether a certificate can be good for name. One that cannot
// would be missed at each look, and a new certificate made each time.
func nameable(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Zone() == ""
	}
	return covers(&x509.Certificate{DNSNames: []string{name}}, []string{name})
}
