package verify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// checkTimestamp reads the RFC 3161 tokens where one is demanded, or where the
// time of one can decide.
func checkTimestamp(a *attempt) *miss {
	if !a.trust.demandToken && !a.wantsTime() {
		return nil
	}
	attached, err := guard(a.signed.tokens)
	if err != nil {
		a.misstamp(err)
	}
	for at, token := range attached[:min(len(attached), MaxTimestamps)] {
		stamp, err := a.stamped(at, token)
		if err != nil {
			a.misstamp(err)
			continue
		}
		a.stamps = append(a.stamps, stamp)
	}
	switch {
	case !a.trust.demandToken || len(a.stamps) > 0:
		return nil
	case a.misstamped != "":
		return missed(TimestampInvalid, "%s, but %s", a.by(), a.misstamped)
	}
	return missed(TimestampMissing, "%s, but no timestamp is attached", a.by())
}

// misstamp keeps why a timestamp that was attached does not count.
func (a *attempt) misstamp(err error) {
	a.doubt("timestamp", err)
	if a.misstamped == "" {
		a.misstamped = a.doubts[len(a.doubts)-1]
	}
}

// tokenKey is what the outcome for one token depends on.
type tokenKey struct {
	at        int
	authority root.TimestampingAuthority
}

// stamped verifies one token over the signature's bytes, by each authority with
// its own validity.
func (a *attempt) stamped(at int, token []byte) (Timestamp, error) {
	if len(token) > maxTokenBytes {
		return Timestamp{}, fmt.Errorf("it is larger than %d bytes", maxTokenBytes)
	}
	if len(a.trust.authorities) == 0 {
		return Timestamp{}, errForeignStamp
	}
	nearest := errForeignStamp
	for _, authority := range a.trust.authorities {
		stamp, err := recall(a.signed, tokenKey{at, authority}, func() (*root.Timestamp, error) {
			return authority.Verify(token, a.signed.signature)
		})
		if err == nil {
			return Timestamp{Time: stamp.Time.UTC(), Authority: authorityName(authority)}, nil
		}
		if !foreignStamp(err) {
			nearest = err
		}
	}
	return Timestamp{}, nearest
}

var errForeignStamp = errors.New("it is of an authority that is not trusted")

// foreignStamp reports whether err of a token's verification says that another
// authority made it, rather than what is wrong with one of this authority. The
// library has no errors to tell them apart but their words, and all that depends
// on these is what a person reads.
func foreignStamp(err error) bool {
	for _, words := range []string{
		"signed by unknown authority", "No certificate for signer", "leaf certificate must be present",
		"does not match the provided TSA certificate", "does not match provided TSA cert",
	} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}
