package verify

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// judgeCertified judges a signature that came with a certificate, under each rule.
func judgeCertified(one *signed, asked question, trusted *trust) []finding {
	leaf, err := recall(one, leafKey{}, one.leaf)
	if err != nil {
		return []finding{malformed("%s", clean(err.Error()))}
	}
	by, err := recall(one, signerKey{}, func() (signer, error) { return leafSigner(one, leaf) })
	a := newAttempt(one, asked, trusted, by)
	if err != nil {
		return []finding{a.finding(missed(KeyMismatch, "%s", err))}
	}
	// What does not depend on a rule is found out once.
	if stop := a.walk(asked.road()); stop != nil {
		return []finding{a.finding(stop)}
	}
	var found []finding
	for _, rule := range trusted.certificates {
		under := *a
		under.rule = rule
		under.certificate = describeCertificate(leaf)
		found = append(found, under.finding(under.walk(certificateRoad)))
	}
	return found
}

// The outcomes that depend on the signature alone.
type (
	leafKey   struct{}
	hintsKey  struct{}
	signerKey struct{}
)

// leafSigner is the signer of one, if that is the key of leaf.
func leafSigner(one *signed, leaf *x509.Certificate) (signer, error) {
	verifiers, err := verifiersOf(leaf.PublicKey)
	if err != nil {
		return signer{}, errors.New("the certificate's key cannot be used")
	}
	for _, verifier := range verifiers {
		if one.verifies(verifier, leaf.PublicKey) {
			return signer{leaf: leaf, content: byLeaf{leaf}, verifier: verifier}, nil
		}
	}
	return signer{}, errors.New("the signature is not by the key of its certificate")
}

// checkChain wants every certificate from the leaf to a root of the rule valid at
// one and the same proven time; where nothing but the certificate is demanded of a
// signature, now will do too.
func checkChain(a *attempt) *miss {
	for _, t := range a.times() {
		if chains, err := a.chainsAt(t); err == nil {
			a.chains = chains
			return nil
		}
	}
	if a.trust.nowAllowed(a.rule) {
		if chains, err := a.chainsAt(a.now); err == nil {
			a.chains, a.endsAt = chains, lastEnd(chains)
			return nil
		}
	}
	// At its own beginning a certificate of the right authority is valid: what
	// fails then is no matter of time.
	if _, err := a.chainsAt(a.signer.leaf.NotBefore); err != nil && !isExpired(err) {
		return missed(ChainInvalid, "%s, but the chain does not hold: %s", a.by(), clean(err.Error()))
	}
	return a.outOfTime()
}

// outOfTime is a chain that no time at hand finds valid.
func (a *attempt) outOfTime() *miss {
	leaf := a.signer.leaf
	validity := window{leaf.NotBefore, leaf.NotAfter}
	times := a.times()
	switch {
	case len(times) > 0:
		return missed(CertificateExpired, "%s, but at %s its chain (leaf valid %s) was not valid as a whole", a.by(), stamp(times[0]), validity)
	case a.trust.nowAllowed(a.rule) || !validity.holds(a.now):
		return missed(CertificateExpired, "%s, whose chain (leaf valid %s) is not valid now; nothing proves when it was signed%s", a.by(), validity, a.because())
	}
	if a.misstamped != "" {
		return missed(TimestampInvalid, "%s, but %s, and nothing else proves when it was signed", a.by(), a.misstamped)
	}
	return missed(TimestampMissing, "%s, but nothing proves when it was signed%s", a.by(), a.because())
}

// chainsAt returns the chains that are valid at t as a whole, for signing code.
// Certificates that came along link a chain of one's own only where it has a gap.
func (a *attempt) chainsAt(t time.Time) ([][]*x509.Certificate, error) {
	chains, err := a.chainsThrough(nil, t)
	if err == nil || !a.rule.ownChain {
		return chains, err
	}
	hints, failed := recall(a.signed, hintsKey{}, func() ([]*x509.Certificate, error) { return a.signed.hints(), nil })
	if failed != nil || len(hints) == 0 {
		return nil, err
	}
	return a.chainsThrough(hints, t)
}

// chainKey is what the outcome for one authority depends on, without further
// intermediates.
type chainKey struct {
	authority root.CertificateAuthority
	at        time.Time
}

// chainsThrough tries each authority of the rule. The error is that of the one
// which came nearest.
func (a *attempt) chainsThrough(hints []*x509.Certificate, t time.Time) ([][]*x509.Certificate, error) {
	nearest := errors.New("no certificate authority is trusted")
	leaf := readable(a.signer.leaf)
	for i, authority := range a.rule.authorities {
		verify := func() ([][]*x509.Certificate, error) {
			return withIntermediates(authority, a.rule.extra, hints).Verify(leaf, t)
		}
		var chains [][]*x509.Certificate
		var err error
		if len(a.rule.extra)+len(hints) == 0 {
			chains, err = recall(a.signed, chainKey{authority, t}, verify)
		} else {
			chains, err = verify()
		}
		if err == nil && len(chains) > 0 {
			return chains, nil
		}
		if i == 0 || isExpired(err) {
			nearest = err
		}
	}
	return nil, nearest
}

// withIntermediates is authority with further intermediates, which link and are
// trusted for nothing by themselves.
func withIntermediates(authority root.CertificateAuthority, more ...[]*x509.Certificate) root.CertificateAuthority {
	fulcio, ok := authority.(*root.FulcioCertificateAuthority)
	extra := slices.Concat(more...)
	if !ok || len(extra) == 0 {
		return authority
	}
	wider := *fulcio
	wider.Intermediates = slices.Concat(fulcio.Intermediates, extra)
	return &wider
}

// readable is leaf without the mark that its names are not understood, when they
// are of the one kind that Fulcio writes and crypto/x509 does not read.
func readable(leaf *x509.Certificate) *x509.Certificate {
	if len(leaf.UnhandledCriticalExtensions) == 0 {
		return leaf
	}
	if _, err := cryptoutils.UnmarshalOtherNameSAN(leaf.Extensions); err != nil {
		return leaf
	}
	same := *leaf
	same.UnhandledCriticalExtensions = nil
	for _, oid := range leaf.UnhandledCriticalExtensions {
		if !oid.Equal(cryptoutils.SANOID) {
			same.UnhandledCriticalExtensions = append(same.UnhandledCriticalExtensions, oid)
		}
	}
	return &same
}

// isExpired reports whether err says that a certificate is not valid at a time.
func isExpired(err error) bool {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok && invalid.Reason == x509.Expired
}

// lastEnd is when the last of chains stops being valid.
func lastEnd(chains [][]*x509.Certificate) time.Time {
	var last time.Time
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, one := range chain {
			if one.NotAfter.Before(end) {
				end = one.NotAfter
			}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// checkPinned wants the one certificate that the rule names, if it names one.
func checkPinned(a *attempt) *miss {
	if a.rule.pinned == nil || a.rule.pinned.Equal(a.signer.leaf) {
		return nil
	}
	return missed(ChainInvalid, "%s, but with another certificate than the one that is pinned", a.by())
}
