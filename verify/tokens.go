package verify

import (
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// checkTimestamp reads the RFC 3161 tokens where one is demanded, or where the
// time of one can decide.
func checkTimestamp(a *attempt) *miss {
	if !a.trust.demandToken && !a.wantsTime() {
		return nil
	}
	before := len(a.doubts)
	attached, err := guard(a.signed.tokens)
	if err != nil {
		a.doubt("timestamp", err)
	}
	for at, token := range attached[:min(len(attached), MaxTimestamps)] {
		stamp, err := a.stamped(at, token)
		if err != nil {
			a.doubt("timestamp", err)
			continue
		}
		a.stamps = append(a.stamps, stamp)
	}
	switch {
	case !a.trust.demandToken || len(a.stamps) > 0:
		return nil
	case len(a.doubts) > before:
		return missed(TimestampInvalid, "%s, but %s", a.by(), a.doubts[before])
	}
	return missed(TimestampMissing, "%s, but no timestamp is attached", a.by())
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
		return Timestamp{}, errors.New("no timestamp authority is trusted")
	}
	var last error
	for _, authority := range a.trust.authorities {
		stamp, err := recall(a.signed, tokenKey{at, authority}, func() (*root.Timestamp, error) {
			return authority.Verify(token, a.signed.signature)
		})
		if err == nil {
			return Timestamp{Time: stamp.Time.UTC(), Authority: authorityName(authority)}, nil
		}
		last = err
	}
	return Timestamp{}, last
}
