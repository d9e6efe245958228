package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
)

// oidSCTs is the extension that holds certificate timestamps (RFC 6962, section
// 3.3).
var oidSCTs = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

// checkSCT wants a certificate timestamp of a trusted log inside the certificate,
// where the rule demands one.
func checkSCT(a *attempt) *miss {
	if !a.rule.demandSCT {
		return nil
	}
	list := timestampsIn(a.signer.leaf)
	if list == nil {
		return missed(SCTMissing, "%s, but the certificate carries no certificate timestamp", a.by())
	}
	named := false
	var failed error
	for _, id := range slices.Sorted(maps.Keys(a.rule.ctLogs)) {
		raw, err := hex.DecodeString(id)
		if err != nil || len(raw) == 0 || !bytes.Contains(list, raw) {
			continue
		}
		named = true
		trusted := &material{ctLogs: map[string]*root.TransparencyLog{id: a.rule.ctLogs[id]}}
		_, failed = guard(func() (bool, error) {
			return true, sgverify.VerifySignedCertificateTimestamp(a.chains, 1, trusted)
		})
		if failed == nil {
			a.certificate.SCTLogID = id
			return nil
		}
	}
	if !named {
		return missed(SCTInvalid, "%s, but the certificate timestamp is of a log that is not trusted", a.by())
	}
	if errors.Is(failed, errPanic) {
		return missed(SCTInvalid, "%s, but the certificate timestamp cannot be read", a.by())
	}
	return missed(SCTInvalid, "%s, but the certificate timestamp does not verify", a.by())
}

// timestampsIn is the extension's value; nil without one.
func timestampsIn(leaf *x509.Certificate) []byte {
	for _, extension := range leaf.Extensions {
		if extension.Id.Equal(oidSCTs) {
			return extension.Value
		}
	}
	return nil
}
