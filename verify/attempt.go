package verify

import (
	"crypto/x509"
	"fmt"
	"time"

	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"vouchsafe/oci"
)

// question is what is asked about a signature.
type question struct {
	repository oci.Repository
	digest     oci.Digest
	now        time.Time
	// file is true for a bundle of a file, which is read in place of one of an
	// image.
	file bool
}

// road is what a signature has to pass whoever made it.
func (q question) road() []check {
	if q.file {
		return fileRoad
	}
	return everyRoad
}

// signer is by what a signature verifies: a trusted key, or a certificate of
// which nothing is proven yet.
type signer struct {
	key     *trustedKey
	leaf    *x509.Certificate
	content sgverify.VerificationContent
	// verifier is what sigstore-go asks for the public key that a log entry is to
	// name.
	verifier signature.Verifier
}

func keySigner(key *trustedKey) signer {
	return signer{key: key, content: byKey{key.public}, verifier: key.verifiers[0].signature}
}

// attempt is one signature that verifies, on its way through the checks under
// one key or one certificate rule. Checks add what they prove.
type attempt struct {
	question
	signed *signed
	trust  *trust
	signer signer
	// rule is the certificate rule; nil before one is tried and for keys.
	rule *certificateRule

	entries []loggedEntry
	stamps  []Timestamp
	// doubts say why no entry or token that was there proved a time.
	doubts []string
	// misstamped is the first of those about tokens.
	misstamped string
	// open is a log entry that is not there and may be: what the attempt comes to
	// when nothing else is wrong. nil is none.
	open *miss
	// chains are those of the leaf that hold; certificate is what the leaf says,
	// which counts for something when they do.
	chains      [][]*x509.Certificate
	certificate *Certificate
	endsAt      time.Time
}

// check is one check. It returns nil to let the attempt go on. Each stands alone,
// so that its loss shows.
type check func(*attempt) *miss

// The road, in its order. A signature that gets to its end is Verified.
var (
	everyRoad       = []check{checkClaim, checkName, checkLog, checkTimestamp}
	fileRoad        = []check{checkArtifact, checkLog, checkTimestamp}
	keyRoad         = []check{checkWindow}
	certificateRoad = []check{checkChain, checkPinned, checkIssuer, checkIdentity, checkSCT}
)

// miss is where an attempt ended.
type miss struct {
	reason  Reason
	message string
	near    int
	// unavailable is true for what could not be found out.
	unavailable bool
}

func missed(reason Reason, format string, args ...any) *miss {
	return &miss{reason: reason, message: fmt.Sprintf(format, args...)}
}

func newAttempt(one *signed, asked question, trusted *trust, by signer) *attempt {
	return &attempt{question: asked, signed: one, trust: trusted, signer: by}
}

// walk takes the attempt down roads, one after the other, and returns where it
// ended; nil is the end of the last.
func (a *attempt) walk(roads ...[]check) *miss {
	for _, road := range roads {
		for _, one := range road {
			if stop := one(a); stop != nil {
				return stop
			}
		}
	}
	return nil
}

// finding is what the attempt came to: stop nil is Verified.
func (a *attempt) finding(stop *miss) finding {
	if stop == nil {
		stop = a.end()
	}
	found := finding{status: Untrusted, key: a.signer.key, timestamps: a.stamps, entry: a.bundle()}
	if len(a.chains) > 0 && a.open == nil {
		found.certificate = a.certificate
	}
	if stop != nil {
		found.reason, found.message, found.near = stop.reason, stop.message, stop.near
		if stop.unavailable {
			found.status = Unavailable
		}
		return found
	}
	found.status, found.message, found.endsAt = Verified, a.by(), a.endsAt
	return found
}

// by says who signed, as far as that is proven.
func (a *attempt) by() string {
	switch {
	case a.signer.key != nil:
		return "signed by " + a.signer.key.Name
	case len(a.chains) > 0:
		return "signed by " + clean(a.certificate.Identity)
	}
	if names := identities(a.signer.leaf); len(names) > 0 {
		return fmt.Sprintf("signed with a certificate that names %s", quote(names[0]))
	}
	return "signed with a certificate without a name"
}

// times are the proven times of signing, and those that an entry may prove that
// could not be asked for.
func (a *attempt) times() []time.Time {
	var times []time.Time
	for _, entry := range a.entries {
		if !entry.at.IsZero() {
			times = append(times, entry.at)
		}
	}
	for _, stamp := range a.stamps {
		times = append(times, stamp.Time)
	}
	return append(times, a.assumed()...)
}

// wantsTime reports whether a proven time can decide anything here.
func (a *attempt) wantsTime() bool {
	return a.signer.leaf != nil || a.signer.key != nil && a.signer.key.window != window{}
}

// guard runs what reads hostile input, so that its panic costs that input alone
// and not the signature that it was attached to.
func guard[T any](read func() (T, error)) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			var zero T
			value, err = zero, errPanic
		}
	}()
	return read()
}
