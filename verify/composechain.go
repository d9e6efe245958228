package verify

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// chain parses certificates[].chain: one authority for each root, with all
// intermediates, so that their order does not matter.
func (c *composer) chain(path, text string) []root.CertificateAuthority {
	roots, intermediates, leaves, ok := c.sorted(path, text, x509.ExtKeyUsageCodeSigning)
	if !ok {
		return nil
	}
	if len(leaves) > 0 {
		c.mistake(path, fmt.Sprintf("%q is not a certificate authority", leaves[0].Subject.CommonName), "a leaf belongs into intermediate, which pins it")
		return nil
	}
	var authorities []root.CertificateAuthority
	for _, one := range roots {
		authorities = append(authorities, &root.FulcioCertificateAuthority{Root: one, Intermediates: intermediates})
	}
	return authorities
}

// timestampChain parses timestampAuthority.chain: one authority for each root and
// signing certificate. Without a signing certificate tokens have to bring theirs.
func (c *composer) timestampChain(path, text string) []root.TimestampingAuthority {
	roots, intermediates, leaves, ok := c.sorted(path, text, x509.ExtKeyUsageTimeStamping)
	if !ok {
		return nil
	}
	for _, leaf := range leaves {
		// RFC 3161, section 2.3: this purpose, critical, and no other.
		if len(leaf.ExtKeyUsage) != 1 || len(leaf.UnknownExtKeyUsage) > 0 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping {
			c.mistake(path, fmt.Sprintf("%q is not a certificate for timestamps alone", leaf.Subject.CommonName), "paste the chain of a timestamp authority")
			return nil
		}
	}
	if len(leaves) == 0 {
		leaves = []*x509.Certificate{nil}
	}
	var authorities []root.TimestampingAuthority
	for _, one := range roots {
		for _, leaf := range leaves {
			authority := &root.SigstoreTimestampingAuthority{Root: one, Intermediates: intermediates, Leaf: leaf, URI: one.Subject.CommonName}
			if leaf != nil {
				authority.URI = leaf.Subject.CommonName
			}
			authorities = append(authorities, authority)
		}
	}
	return authorities
}

// sorted parses a chain and sorts it into roots, intermediates and leaves; ok is
// false when a mistake was recorded.
func (c *composer) sorted(path, text string, use x509.ExtKeyUsage) (roots, intermediates, leaves []*x509.Certificate, ok bool) {
	parsed, problem := parseCertificates(text, fieldChain)
	if !c.adopt(path, problem) {
		return nil, nil, nil, false
	}
	for i, one := range parsed {
		switch {
		case slices.ContainsFunc(parsed[:i], one.Equal):
			c.warn(path, nameOf(i, one)+" is there twice", "")
		case isAuthority(one) && selfSigned(one):
			roots = append(roots, one)
		case isAuthority(one):
			intermediates = append(intermediates, one)
		case selfSigned(one):
			c.mistake(path, nameOf(i, one)+" is self-signed, but no certificate authority (CA:TRUE is missing)", "")
			return nil, nil, nil, false
		default:
			leaves = append(leaves, one)
		}
	}
	if len(roots) == 0 {
		c.mistake(path, "holds no self-signed root", "add the root of the authority: its subject is its issuer")
		return nil, nil, nil, false
	}
	if !c.usable(path, parsed, use) || !c.connected(path, parsed, roots, "chains to no root of the chain") {
		return nil, nil, nil, false
	}
	return roots, intermediates, leaves, true
}

// usable refuses certificates whose purposes leave out use, below which nothing
// could verify, and warns of those that are not valid now.
func (c *composer) usable(path string, certificates []*x509.Certificate, use x509.ExtKeyUsage) bool {
	purpose := map[x509.ExtKeyUsage]string{x509.ExtKeyUsageCodeSigning: "code signing", x509.ExtKeyUsageTimeStamping: "timestamps"}[use]
	for i, one := range certificates {
		allowed := len(one.ExtKeyUsage)+len(one.UnknownExtKeyUsage) == 0 ||
			slices.Contains(one.ExtKeyUsage, use) || slices.Contains(one.ExtKeyUsage, x509.ExtKeyUsageAny)
		if !allowed {
			c.mistake(path, nameOf(i, one)+" is not for "+purpose+" (extended key usage)", "")
			return false
		}
		if c.now.After(one.NotAfter) {
			c.warn(path, nameOf(i, one)+" expired at "+one.NotAfter.UTC().Format(time.RFC3339), "")
		}
		if c.now.Before(one.NotBefore) {
			c.warn(path, nameOf(i, one)+" is not valid before "+one.NotBefore.UTC().Format(time.RFC3339), "")
		}
	}
	return true
}

// connected refuses a certificate that no path leads from to one of known: it
// could have no effect, and what was meant is missing.
func (c *composer) connected(path string, certificates, known []*x509.Certificate, otherwise string) bool {
	known = slices.Clone(known)
	left := slices.DeleteFunc(slices.Clone(certificates), func(one *x509.Certificate) bool {
		return slices.ContainsFunc(known, one.Equal)
	})
	for grown := true; grown; {
		grown = false
		left = slices.DeleteFunc(left, func(one *x509.Certificate) bool {
			found := slices.ContainsFunc(known, func(parent *x509.Certificate) bool { return one.CheckSignatureFrom(parent) == nil })
			if found {
				known, grown = append(known, one), true
			}
			return found
		})
	}
	if len(left) > 0 {
		at := slices.IndexFunc(certificates, left[0].Equal)
		c.mistake(path, nameOf(at, left[0])+" "+otherwise, fmt.Sprintf("its issuer is %.80q", left[0].Issuer.CommonName))
		return false
	}
	return true
}
