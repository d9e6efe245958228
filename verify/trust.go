package verify

import (
	"crypto/x509"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"vouchsafe/oci"
)

// trust is everything that an integration demands of a signature, parsed and
// composed once. It is immutable. The zero value is satisfied by nothing.
type trust struct {
	// keys and certificates are the ways in which a signature may be made; one
	// that is satisfied is enough.
	keys         []*trustedKey
	certificates []*certificateRule
	// logs are the Rekor logs, v1 and v2, whose entries count; demandLog makes an
	// entry of one of them a condition. Without demandLog an entry is only read
	// for the time that it proves, where one is needed.
	logs      map[string]*root.TransparencyLog
	demandLog bool
	// askLog is where an entry is asked for that is not attached; empty is
	// nowhere.
	askLog string
	// authorities are the timestamp authorities whose tokens count; demandToken
	// makes a token of one of them a condition.
	authorities []root.TimestampingAuthority
	demandToken bool
	name        nameRule
	// mirror is the TUF mirror of the trusted root, zero for none; absent says why
	// there is none yet, and then nothing is judged.
	mirror MirrorSource
	absent string
	// signatures is the one repository that holds the signatures of all images;
	// zero is each image's own.
	signatures oci.Repository
}

// window is when a key may have signed; a zero time is no bound.
type window struct{ notBefore, notAfter time.Time }

// holds reports whether t is inside, both ends included.
func (w window) holds(t time.Time) bool {
	return (w.notBefore.IsZero() || !t.Before(w.notBefore)) && (w.notAfter.IsZero() || !t.After(w.notAfter))
}

// certificateRule is one entry of spec.certificates: an identity, its issuer, and
// by which authorities its certificate must be made. The zero value matches no
// identity and no issuer.
type certificateRule struct {
	identity matcher
	// issuer is not looked at with anyIssuer.
	issuer    matcher
	anyIssuer bool
	// authorities are the roots with their intermediates; extra are further
	// intermediates, and pinned, when not nil, is the one leaf that counts.
	authorities []root.CertificateAuthority
	extra       []*x509.Certificate
	pinned      *x509.Certificate
	// ownChain is true when authorities do not come from the trusted root.
	ownChain bool
	// demandSCT makes a certificate timestamp of one of ctLogs a condition.
	demandSCT bool
	ctLogs    map[string]*root.TransparencyLog
}

// nowAllowed reports whether the chain is judged at now where no time is proven:
// with an own chain, and neither log nor timestamps demanded.
func (t *trust) nowAllowed(rule *certificateRule) bool {
	return rule.ownChain && !t.demandLog && !t.demandToken
}

// matcher compares one text: with exact as a whole, or with an expression that
// has to match all of it. The zero value matches nothing.
type matcher struct {
	exact      string
	expression wholeExpression
}

// nameRule is what is demanded of the name inside a cosign payload. The zero value
// demands nothing.
type nameRule struct {
	// mode is nameAny, nameRepository or nameIfNamed.
	mode    nameMode
	aliases []nameAlias
}

// nameMode says what a signed name must be.
type nameMode uint8

const (
	nameAny nameMode = iota
	// nameRepository demands the image's origin repository, or an alias of it.
	nameRepository
	// nameIfNamed demands it of a signature that names a repository at all.
	nameIfNamed
)
