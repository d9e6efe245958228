package verify

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// entity shows sigstore-go one signature with one log entry, so that each of its
// checks is asked about exactly what it shall judge.
type entity struct {
	sgverify.BaseSignedEntity
	content sgverify.SignatureContent
	by      sgverify.VerificationContent
	entry   *tlog.Entry
}

// SignatureContent implements [sgverify.SignedEntity].
func (e *entity) SignatureContent() (sgverify.SignatureContent, error) { return e.content, nil }

// VerificationContent implements [sgverify.SignedEntity].
func (e *entity) VerificationContent() (sgverify.VerificationContent, error) { return e.by, nil }

// TlogEntries implements [sgverify.SignedEntity].
func (e *entity) TlogEntries() ([]*tlog.Entry, error) { return []*tlog.Entry{e.entry}, nil }

// byKey is a public key as sigstore-go wants to see what verifies a signature.
type byKey struct{ public crypto.PublicKey }

// Hint implements [sgverify.PublicKeyProvider]. There is one key here, so what a
// bundle calls it is not looked at.
func (byKey) Hint() string { return "" }

// CompareKey reports whether key, from a log entry, is this key, or a certificate
// of it: cosign logs the certificate when one was signed with.
func (k byKey) CompareKey(key any, _ root.TrustedMaterial) bool {
	if certificate, is := key.(*x509.Certificate); is {
		key = certificate.PublicKey
	}
	mine, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key != nil && mine.Equal(key)
}

// ValidAtTime is true: windows of keys are judged by check of their own.
func (byKey) ValidAtTime(time.Time, root.TrustedMaterial) bool { return true }

// Certificate implements [sgverify.VerificationContent].
func (byKey) Certificate() *x509.Certificate { return nil }

// Intermediates implements [sgverify.VerificationContent].
func (byKey) Intermediates() []*x509.Certificate { return nil }

// PublicKey implements [sgverify.VerificationContent].
func (k byKey) PublicKey() sgverify.PublicKeyProvider { return k }

// byLeaf is a certificate as sigstore-go wants to see what verifies a signature.
type byLeaf struct{ leaf *x509.Certificate }

// CompareKey reports whether key, from a log entry, is this very certificate.
func (l byLeaf) CompareKey(key any, _ root.TrustedMaterial) bool {
	other, is := key.(*x509.Certificate)
	return is && other != nil && l.leaf.Equal(other)
}

// ValidAtTime is true: the whole chain is judged at each proven time, later.
func (byLeaf) ValidAtTime(time.Time, root.TrustedMaterial) bool { return true }

// Certificate implements [sgverify.VerificationContent].
func (l byLeaf) Certificate() *x509.Certificate { return l.leaf }

// Intermediates implements [sgverify.VerificationContent].
func (byLeaf) Intermediates() []*x509.Certificate { return nil }

// PublicKey implements [sgverify.VerificationContent].
func (byLeaf) PublicKey() sgverify.PublicKeyProvider { return nil }

// material is the part of the trust that one check of sigstore-go may use.
type material struct {
	root.BaseTrustedMaterial
	logs     map[string]*root.TransparencyLog
	ctLogs   map[string]*root.TransparencyLog
	verifier signature.Verifier
}

// RekorLogs implements [root.TrustedMaterial].
func (m *material) RekorLogs() map[string]*root.TransparencyLog { return m.logs }

// CTLogs implements [root.TrustedMaterial].
func (m *material) CTLogs() map[string]*root.TransparencyLog { return m.ctLogs }

// PublicKeyVerifier implements [root.TrustedMaterial].
func (m *material) PublicKeyVerifier(hint string) (root.TimeConstrainedVerifier, error) {
	if m.verifier == nil {
		return m.BaseTrustedMaterial.PublicKeyVerifier(hint)
	}
	return root.NewExpiringKey(m.verifier, time.Time{}, time.Time{}), nil
}
