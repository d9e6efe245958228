package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// hash is over the parsed parts: neither the order of lists nor how PEM or JSON
// was laid out changes it.
func (t *trust) hash() string {
	sum := sha256.Sum256([]byte(joined("vouchsafe integration", verifierVersion,
		sortedList(t.keys, (*trustedKey).canonical),
		sortedList(t.certificates, (*certificateRule).canonical),
		logsText(t.logs), strconv.FormatBool(t.demandLog), t.askLog,
		sortedList(t.authorities, timestampText), strconv.FormatBool(t.demandToken),
		strconv.Itoa(int(t.name.mode)), sortedList(t.name.aliases, nameAlias.canonical),
		t.signatures.Registry, t.signatures.Path, t.mirror.id(), t.absent,
	)))
	return hex.EncodeToString(sum[:])
}

// joined gives each part its length, so that no two lists of parts read alike.
func joined(parts ...string) string {
	var out []byte
	for _, part := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return string(out)
}

func sortedList[T any](list []T, text func(T) string) string {
	parts := make([]string, 0, len(list))
	for _, one := range list {
		parts = append(parts, text(one))
	}
	slices.Sort(parts)
	return joined(slices.Compact(parts)...)
}

func (k *trustedKey) canonical() string {
	return joined(k.Name, k.Fingerprint, timeText(k.window.notBefore), timeText(k.window.notAfter))
}

func (r *certificateRule) canonical() string {
	return joined(r.identity.canonical(), r.issuer.canonical(), strconv.FormatBool(r.anyIssuer),
		sortedList(r.authorities, authorityText), sortedList(r.extra, certificateText), certificateText(r.pinned),
		strconv.FormatBool(r.ownChain), strconv.FormatBool(r.demandSCT), logsText(r.ctLogs))
}

func (m matcher) canonical() string { return joined(m.exact, m.expression.source) }

func (a nameAlias) canonical() string { return joined(a.from, a.to, strconv.FormatBool(a.under)) }

// logsText has all of a log that decides what it can prove.
func logsText(logs map[string]*root.TransparencyLog) string {
	var parts []string
	for id, log := range logs {
		// A key that was parsed can be encoded; one of another kind must still not
		// read like none.
		key, err := x509.MarshalPKIXPublicKey(log.PublicKey)
		if err != nil {
			key = fmt.Appendf(nil, "%T %v", log.PublicKey, log.PublicKey)
		}
		parts = append(parts, joined(id, string(log.ID), string(key), log.BaseURL, log.HashFunc.String(), log.SignatureHashFunc.String(),
			timeText(log.ValidityPeriodStart), timeText(log.ValidityPeriodEnd)))
	}
	slices.Sort(parts)
	return joined(parts...)
}

func authorityText(authority root.CertificateAuthority) string {
	one, ok := authority.(*root.FulcioCertificateAuthority)
	if !ok {
		return fmt.Sprintf("%T %v", authority, authority)
	}
	return joined(certificateText(one.Root), sortedList(one.Intermediates, certificateText), timeText(one.ValidityPeriodStart), timeText(one.ValidityPeriodEnd))
}

func timestampText(authority root.TimestampingAuthority) string {
	one, ok := authority.(*root.SigstoreTimestampingAuthority)
	if !ok {
		return fmt.Sprintf("%T %v", authority, authority)
	}
	return joined(certificateText(one.Root), sortedList(one.Intermediates, certificateText), certificateText(one.Leaf), one.URI,
		timeText(one.ValidityPeriodStart), timeText(one.ValidityPeriodEnd))
}

func certificateText(one *x509.Certificate) string {
	if one == nil {
		return ""
	}
	return string(one.Raw)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
