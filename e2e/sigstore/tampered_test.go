package sigstore_test

// tamperedRows are images beside whose signatures something good of another
// signature was put.
func (g *gallery) tamperedRows() []row {
	one := keys(g.one.Public)
	person := func(title, image, reason string, blocks ...object) row {
		return row{
			name: title, image: image, reason: reason, signer: developer, issuer: g.Issuers.People,
			spec: with(append([]object{g.person(), rooted()}, blocks...)...),
		}
	}
	return []row{
		{name: "the log entry of another signature by the same key", image: "key stapled", reason: "TLOG_INVALID", spec: with(one, rooted(), logged())},
		{name: "the log entry of another signature hurts nobody who wants none", image: "key stapled", spec: one, signer: "key-1"},
		person("the log entry of another keyless signature", "keyless stapled", "TLOG_INVALID", logged()),
		person("the log entry of another keyless signature, on one that was not logged", "keyless restaple", "TLOG_INVALID", logged()),
		person("the log entry of another signature in a bundle", "bundle stapled", "TLOG_INVALID", logged()),
		person("the certificate of another signature", "keyless lent", "KEY_MISMATCH", logged()),
		person("the certificate of another signature in a bundle", "bundle lent", "KEY_MISMATCH", logged()),
		person("the timestamp of another signature", "keyless stamp", "TIMESTAMP_INVALID", stamped()),
		person("the timestamp of another signature in a bundle", "bundle stamp", "TIMESTAMP_INVALID", stamped()),
		person("the timestamp of another signature, where the entry proves the time", "bundle stamp", "", logged()),
		person("the whole bundle of another image", "bundle moved", "DIGEST_MISMATCH", logged()),
	}
}
