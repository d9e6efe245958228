package verify

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// certificates composes spec.certificates.
func (c *composer) certificates(t *trust) {
	seen := map[string]int{}
	for i, spec := range c.spec.Certificates {
		path := item("spec.certificates", i)
		before := len(c.problems)
		rule := c.certificate(path, spec)
		if slices.ContainsFunc(c.problems[before:], func(err error) bool { return !isWarning(err) }) {
			continue
		}
		if first, again := seen[rule.canonical()]; again {
			c.warn(path, fmt.Sprintf("the same as certificates[%d]", first), "")
		} else {
			seen[rule.canonical()] = i
		}
		t.certificates = append(t.certificates, rule)
	}
}

// certificate composes one entry.
func (c *composer) certificate(path string, spec CertificateSpec) *certificateRule {
	rule := &certificateRule{anyIssuer: spec.AnyIssuer, ownChain: spec.Chain != ""}
	c.authorities(path, spec, rule)
	public := ofPublicInstance(rule.authorities)
	rule.identity = c.identity(path, spec, public)
	rule.issuer = c.issuer(path, spec, public)
	if spec.Intermediate != "" {
		c.intermediate(path, spec.Intermediate, rule)
	}
	c.certificateTransparency(path+".certificateTransparency", spec, rule)
	return rule
}

// authorities sets by which authorities a certificate must be made.
func (c *composer) authorities(path string, spec CertificateSpec, rule *certificateRule) {
	if rule.ownChain {
		rule.authorities = c.chain(path+".chain", spec.Chain)
		return
	}
	rule.authorities = c.root.certificateAuthorities()
	if len(rule.authorities) == 0 && !c.root.broken {
		c.mistake(path, "the trusted root has no certificate authority", "set chain, or take a trusted root that has one")
	}
	// Keyless certificates live for minutes: without a proof of time nothing
	// could ever be verified, or an expired certificate would have to count.
	if !c.demandsLog() && !c.demandsToken() {
		c.mistake(path, "without chain it needs a proof of when a signature was made", "enable transparencyLog or timestampAuthority")
	}
}

// certificateTransparency sets what is demanded of certificate timestamps.
func (c *composer) certificateTransparency(path string, spec CertificateSpec, rule *certificateRule) {
	rule.demandSCT = !rule.ownChain
	rule.ctLogs = c.root.certificateLogs()
	block := spec.CertificateTransparency
	if block != nil && block.Enabled != nil {
		rule.demandSCT = *block.Enabled
	}
	switch {
	case block != nil && block.PublicKey != "" && !rule.demandSCT:
		why := "while enabled is false"
		if block.Enabled == nil {
			why = "with chain unless enabled: true is written"
		}
		c.mistake(path+".publicKey", "has no effect "+why, "set enabled: true, or remove it")
	case block != nil && block.PublicKey != "":
		rule.ctLogs = c.certificateLogKeys(path+".publicKey", block.PublicKey)
	case rule.demandSCT && len(rule.ctLogs) == 0 && !c.root.broken:
		c.mistake(path, "a certificate timestamp is demanded, but the trusted root has no certificate log", "set publicKey, or enabled: false")
	}
}

// intermediate parses further intermediates and a pinned leaf.
func (c *composer) intermediate(path, text string, rule *certificateRule) {
	field := path + ".intermediate"
	parsed, problem := parseCertificates(text, fieldIntermediate)
	if !c.adopt(field, problem) {
		return
	}
	for i, one := range parsed {
		switch {
		case selfSigned(one):
			c.mistake(field, nameOf(i, one)+" is self-signed: it adds no trust here", "a root belongs into chain")
			return
		case isAuthority(one):
			rule.extra = append(rule.extra, one)
		case rule.pinned != nil:
			c.mistake(field, "holds more than one leaf", "one pinned certificate per entry: add another entry below certificates")
			return
		default:
			rule.pinned = one
		}
	}
	if !c.usable(field, parsed, x509.ExtKeyUsageCodeSigning) || len(rule.authorities) == 0 ||
		!c.connected(field, parsed, anchors(rule.authorities), "chains to no authority of this entry") {
		return
	}
	if rule.pinned != nil {
		c.pinnedMatches(field, rule)
	}
}

// pinnedMatches refuses a pinned certificate that the entry's identity or issuer
// never matches: no signature could satisfy both.
func (c *composer) pinnedMatches(path string, rule *certificateRule) {
	if _, ok := rule.identified(rule.pinned); !ok && rule.identity.String() != "" {
		found := "no identity"
		if names := identities(rule.pinned); len(names) > 0 {
			found = fmt.Sprintf("%.100q", names[0])
		}
		c.mistake(path, "the pinned certificate is of "+found+", which the identity does not match", "")
		return
	}
	issuer, err := issuerOf(rule.pinned)
	if err == nil && !rule.anyIssuer && rule.issuer.String() != "" && !rule.issuer.matches(issuer) {
		c.mistake(path, fmt.Sprintf("the pinned certificate is by the issuer %.100q, which is not the one wanted", issuer), "")
	}
}

// anchors are the certificates of authorities, by which others may be signed.
func anchors(authorities []root.CertificateAuthority) []*x509.Certificate {
	var all []*x509.Certificate
	for _, authority := range authorities {
		if one, ok := authority.(*root.FulcioCertificateAuthority); ok {
			all = append(append(all, one.Root), one.Intermediates...)
		}
	}
	return all
}
