package verify

import "slices"

// Effective returns s with every default filled in that a document can write, for
// people who look at it. [LoadIntegration] makes the same of both.
func (s Spec) Effective() Spec {
	if s.SignedName == "" {
		s.SignedName = signedNameAny
	}
	if s.TransparencyLog != nil {
		block := *s.TransparencyLog
		if block.Offline == nil {
			block.Offline = new(false)
		}
		if block.URL == "" && block.Enabled && !*block.Offline && s.TrustedRoot == nil && block.PublicKey == "" {
			block.URL = publicLogURL
		}
		s.TransparencyLog = &block
	}
	if s.TrustedRoot != nil && s.TrustedRoot.TUF != nil && s.TrustedRoot.TUF.Refresh == "" {
		block := *s.TrustedRoot.TUF
		block.Refresh = "24h"
		s.TrustedRoot = &TrustedRootSpec{TUF: &block}
	}
	s.Certificates = slices.Clone(s.Certificates)
	for i := range s.Certificates {
		one := &s.Certificates[i]
		block := CertificateTransparencySpec{}
		if one.CertificateTransparency != nil {
			block = *one.CertificateTransparency
		}
		if block.Enabled == nil {
			block.Enabled = new(one.Chain == "")
		}
		one.CertificateTransparency = &block
	}
	return s
}
