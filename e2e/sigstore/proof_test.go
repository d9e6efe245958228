package sigstore_test

import (
	"testing"

	"vouchsafe/e2e/internal/sigstore"
)

// proofRows are about log entries and timestamps that are demanded.
func (g *gallery) proofRows(tb testing.TB) []row {
	tb.Helper()
	strange := sigstore.StrangePEM(tb)
	own, other := g.RekorKey(tb), strange
	one := keys(g.one.Public)
	otherStamps := stamped(object{"chain": g.foreign.Issuer().Stamps(tb).Chain()})
	rightStamps := stamped(object{"chain": g.Stamper.Chain()})
	trust := g.Trust(tb)
	trust.Tiles, trust.Rekor = strange, sigstore.StrangePEM(tb)
	otherLogs := g.TrustedRoot(tb, trust)
	trust = g.Trust(tb)
	trust.Stamps = ""
	noStamps := g.TrustedRoot(tb, trust)
	entry := func(key string) object { return logged(object{"publicKey": key}) }
	byKey := func(title, image, reason string, blocks ...object) row {
		return row{name: title, image: image, reason: reason, spec: with(append([]object{one}, blocks...)...), signer: "key-1"}
	}
	byPerson := func(title, image, reason string, blocks ...object) row {
		return row{
			name: title, image: image, reason: reason, signer: developer, issuer: g.Issuers.People,
			spec: with(append([]object{g.person(), rooted()}, blocks...)...),
		}
	}
	under := func(root string, r row) row {
		r.root = root
		return r
	}
	return []row{
		byKey("a log entry is wanted, none was made", "key", "TLOG_MISSING", entry(own)),
		byKey("a log entry is wanted, none is attached", "key stripped", "TLOG_MISSING", entry(own)),
		byKey("a log entry is wanted, a bundle has none", "bundle key", "TLOG_MISSING", entry(own)),
		byKey("an entry of another log", "key logged", "TLOG_INVALID", entry(other)),
		byKey("an entry of another log in a bundle", "bundle key v1", "TLOG_INVALID", entry(other)),
		byKey("an entry of one of two logs", "key logged", "", entry(other+own)),
		byKey("an entry of another log that nobody wants", "key logged", ""),
		byKey("an entry of Rekor v2 where a v1 log is trusted", "bundle key v2", "TLOG_INVALID", entry(own)),
		under(otherLogs, byKey("an entry of another Rekor v2", "bundle key v2", "TLOG_INVALID", rooted(), logged())),
		under(otherLogs, byPerson("a keyless entry of another log", "keyless", "TLOG_INVALID", logged())),
		under(otherLogs, byPerson("a keyless bundle's entry of another Rekor v2", "bundle keyless v2", "TLOG_INVALID", logged())),
		byPerson("a keyless signature that is stamped and not logged, and is to be logged", "keyless stamped", "TLOG_MISSING", logged()),

		// The entry of a v2 proves that it was logged, and not when.
		under(noStamps, byPerson("a keyless entry of Rekor v2, and nobody is trusted to stamp", "bundle keyless v2", "TIMESTAMP_INVALID", logged())),
		under(noStamps, byPerson("a keyless entry of Rekor v1, and nobody is trusted to stamp", "bundle keyless v1", "", logged())),

		byKey("a timestamp is wanted, none was made", "key logged", "TIMESTAMP_MISSING", rightStamps),
		byKey("a timestamp of another authority", "key stamped", "TIMESTAMP_INVALID", otherStamps),
		byKey("a timestamp of another authority in a bundle", "bundle key v1", "TIMESTAMP_INVALID", otherStamps),
		byKey("a timestamp and a log entry are wanted, and there are both", "bundle key v1", "", entry(own), rightStamps),
		byPerson("a keyless signature that is logged and not stamped, and is to be stamped", "keyless", "TIMESTAMP_MISSING", stamped()),
		byPerson("a keyless signature of Rekor v2 with a timestamp of another authority", "bundle keyless v2", "TIMESTAMP_INVALID", otherStamps),
	}
}
