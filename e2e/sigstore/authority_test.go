package sigstore_test

import (
	"testing"

	"vouchsafe/e2e/internal/sigstore"
)

// authorityRows are about who made a certificate, and which log knows of it.
func (g *gallery) authorityRows(tb testing.TB) []row {
	tb.Helper()
	strange := sigstore.StrangePEM(tb)
	transparency := func(enabled bool, key string) object {
		block := object{"enabled": enabled}
		if key != "" {
			block["publicKey"] = key
		}
		return object{"certificateTransparency": block}
	}
	trust := g.Trust(tb)
	trust.Fulcio = g.foreign.Chain()
	otherFulcio := g.TrustedRoot(tb, trust)
	trust = g.Trust(tb)
	trust.CertificateLog = strange
	otherLog := g.TrustedRoot(tb, trust)
	own := func(title, image, reason string, more ...object) row {
		return row{name: title, image: image, spec: g.builder(more...), reason: reason, signer: builder, issuer: builderIssuer}
	}
	rows := []row{
		own("another authority, the right identity", "own foreign", "CHAIN_INVALID"),
		own("a root alone, the intermediate given apart", "own", "", object{"chain": g.own.Issuer().PEM(), "intermediate": g.own.PEM()}),
		own("a root alone, the intermediate comes with the signature", "own", "", object{"chain": g.own.Issuer().PEM()}),
		own("the pinned certificate", "own", "", object{"intermediate": g.leaf.PEM()}),
		own("another pinned certificate", "own", "CHAIN_INVALID", object{"intermediate": g.late.PEM()}),
		own("a certificate without an issuer", "own anonymous", "ISSUER_MISMATCH"),
		own("a certificate without a timestamp of a log, which is wanted", "own", "SCT_MISSING", transparency(true, g.CertificateLogKey(tb))),
		own("a logged signature, but the certificate is not", "own logged", "SCT_MISSING", transparency(true, g.CertificateLogKey(tb))),
		{
			name: "a certificate without an issuer, and any will do", image: "own anonymous", signer: builder,
			spec: certificates("", builder, object{"oidcIssuer": nil, "anyIssuer": true, "chain": g.own.Chain()}),
		},
		// Cosign 3.1.3 writes a chain into a bundle of version 0.3, which must not
		// have one: neither it nor cosign 2 finds a signature there.
		own("a bundle with a chain in it", "bundle own chained", "MALFORMED"),
		{name: "an own authority's certificate under Fulcio's trust", image: "own logged", reason: "CHAIN_INVALID", spec: with(certificates(builderIssuer, builder), rooted(), logged())},
		{name: "an own authority's certificate in a bundle under Fulcio's trust", image: "bundle own v1", reason: "CHAIN_INVALID", spec: with(certificates(builderIssuer, builder), rooted(), logged())},
		own("a certificate in a bundle without a timestamp of a log, which is wanted", "bundle own v1", "SCT_MISSING", transparency(true, g.CertificateLogKey(tb))),
	}
	for _, in := range []string{"keyless", "bundle keyless v1", "bundle keyless v2"} {
		keyless := func(title, reason, root string, more ...object) row {
			return row{
				name: in + ": " + title, image: in, reason: reason, root: root, signer: developer, issuer: g.Issuers.People,
				spec: with(g.person(more...), rooted(), logged()),
			}
		}
		rows = append(rows,
			keyless("another Fulcio", "CHAIN_INVALID", otherFulcio),
			keyless("an own chain instead of Fulcio's", "CHAIN_INVALID", "", object{"chain": g.foreign.Chain()}),
			keyless("another certificate log in the trusted root", "SCT_INVALID", otherLog),
			keyless("another certificate log by its key", "SCT_INVALID", "", transparency(true, strange)),
			keyless("another certificate log, but none is wanted", "", otherLog, transparency(false, "")),
		)
	}
	return rows
}
