package verify

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// The object identifiers of Fulcio (Fulcio, docs/oid-info.md).
var (
	fulcioArc   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	oidIssuer   = append(append(asn1.ObjectIdentifier{}, fulcioArc...), 8)
	oidIssuerV1 = append(append(asn1.ObjectIdentifier{}, fulcioArc...), 1)
)

// checkIssuer wants the OIDC issuer that the rule names.
func checkIssuer(a *attempt) *miss {
	if a.rule.anyIssuer {
		return nil
	}
	issuer, err := issuerOf(a.signer.leaf)
	if err != nil {
		return missed(IssuerMismatch, "%s, but %s", a.by(), err)
	}
	if issuer == "" {
		return missed(IssuerMismatch, "%s, but the certificate names no issuer, wanted %s", a.by(), quote(a.rule.issuer.String()))
	}
	if a.rule.issuer.matches(issuer) {
		return nil
	}
	message, near := a.rule.issuer.unlike("issuer", issuer)
	if _, ok := a.rule.identified(a.signer.leaf); ok {
		message += "; identity equal"
	}
	return &miss{reason: IssuerMismatch, message: message, near: near}
}

// issuerOf reads the issuer from its extension, or the older form of it. A
// certificate that has both, with different words, has no one issuer.
func issuerOf(leaf *x509.Certificate) (string, error) {
	var newer, older string
	for _, extension := range leaf.Extensions {
		switch {
		case extension.Id.Equal(oidIssuer):
			rest, err := asn1.Unmarshal(extension.Value, &newer)
			if err != nil || len(rest) > 0 || newer == "" {
				return "", errors.New("the certificate's issuer cannot be read")
			}
		case extension.Id.Equal(oidIssuerV1):
			older = string(extension.Value)
		}
	}
	if newer != "" && older != "" && newer != older {
		return "", errors.New("the certificate names two issuers")
	}
	if newer == "" {
		return older, nil
	}
	return newer, nil
}

// checkIdentity wants one of the certificate's names to be what the rule wants,
// as a whole.
func checkIdentity(a *attempt) *miss {
	name, ok := a.rule.identified(a.signer.leaf)
	if ok {
		a.certificate.Identity = name
		return nil
	}
	issuer := "issuer equal"
	if a.rule.anyIssuer {
		issuer = "any issuer"
	}
	names := identities(a.signer.leaf)
	if len(names) == 0 {
		return missed(IdentityMismatch, "%s; the certificate has no identity, wanted %s", issuer, quote(a.rule.identity.String()))
	}
	nearest := &miss{reason: IdentityMismatch, near: -1}
	for _, name := range names {
		if message, near := a.rule.identity.unlike("identity", name); near > nearest.near {
			nearest.message, nearest.near = issuer+"; "+message, near
		}
	}
	return nearest
}

// identified returns the name of leaf that the rule wants.
func (r *certificateRule) identified(leaf *x509.Certificate) (string, bool) {
	for _, name := range identities(leaf) {
		if r.identity.matches(name) {
			return name, true
		}
	}
	return "", false
}

// maxNames bounds the names of one certificate that are looked at.
const maxNames = 32

// identities are the subject alternative names that can be identities: URIs,
// e-mail addresses, DNS names, and Fulcio's user names.
func identities(leaf *x509.Certificate) []string {
	var names []string
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	names = append(names, leaf.EmailAddresses...)
	names = append(names, leaf.DNSNames...)
	if other, err := cryptoutils.UnmarshalOtherNameSAN(leaf.Extensions); err == nil && other != "" {
		names = append(names, other)
	}
	return names[:min(len(names), maxNames)]
}
