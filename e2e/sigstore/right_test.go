package sigstore_test

import "testing"

// The blocks that most rows are made of.

// person demands a certificate of Fulcio for the developer.
func (g *gallery) person(more ...object) object {
	return certificates(g.Issuers.People, developer, more...)
}

// workflow demands one for the workflow.
func (g *gallery) workflow(more ...object) object {
	return certificates(g.Issuers.Workflows, releaseWorkflow.Identity(), more...)
}

// builder demands one of the organisation's own authority.
func (g *gallery) builder(more ...object) object {
	return certificates(builderIssuer, builder, append([]object{{"chain": g.own.Chain()}}, more...)...)
}

// rightRows are all forms, each under the trust that it was made for.
func (g *gallery) rightRows(tb testing.TB) []row {
	tb.Helper()
	one := keys(g.one.Public)
	entry := logged(object{"publicKey": g.RekorKey(tb)})
	byKey := func(image string, blocks ...object) row {
		return row{name: image, image: image, spec: with(append([]object{one}, blocks...)...), signer: "key-1"}
	}
	byPerson := func(image string, blocks ...object) row {
		return row{name: image, image: image, spec: with(append([]object{g.person(), rooted()}, blocks...)...), signer: developer, issuer: g.Issuers.People}
	}
	byWorkflow := func(image string, blocks ...object) row {
		return row{name: image, image: image, spec: with(append([]object{g.workflow(), rooted()}, blocks...)...), signer: releaseWorkflow.Identity(), issuer: g.Issuers.Workflows}
	}
	byBuilder := func(image string, blocks ...object) row {
		return row{name: image, image: image, spec: with(append([]object{g.builder()}, blocks...)...), signer: builder, issuer: builderIssuer}
	}
	rows := []row{
		byKey("key"),
		byKey("key logged", entry),
		byKey("key stamped", stamped(object{"chain": g.Stamper.Chain()})),
		byKey("two keys"),
		byKey("index", entry),
		byKey("index top", entry),
		byPerson("keyless", logged()),
		byPerson("keyless by 3", logged()),
		byPerson("keyless stamped", stamped()),
		byWorkflow("keyless workflow", logged()),
		byBuilder("own"),
		byBuilder("own logged", entry),
		byBuilder("own stamped", stamped(object{"chain": g.Stamper.Chain()})),
		byBuilder("bundle own v1", entry),
		byBuilder("bundle own v2", rooted(), logged(), stamped()),
		byKey("bundle key"),
		byKey("bundle key v1", entry),
		byKey("bundle key v2", rooted(), logged(), stamped()),
		byKey("bundle index", entry),
		byPerson("bundle keyless v1", logged(), stamped()),
		byPerson("bundle keyless v2", logged(), stamped()),
		byWorkflow("bundle workflow v2", logged()),
		{name: "the second of two keys", image: "two keys", spec: keys(g.two.Public), signer: "key-1"},
		{name: "keyless, each part of the trust given singly", image: "keyless", signer: developer, issuer: g.Issuers.People, spec: with(
			g.person(object{"chain": g.Fulcio.Chain(), "certificateTransparency": object{"enabled": true, "publicKey": g.CertificateLogKey(tb)}}), entry)},
		{name: "no signature", image: "unsigned", spec: with(g.person(), rooted(), logged()), reason: unsigned},
		{name: "an attestation under a tag is no signature", image: "attested", spec: with(one, entry), reason: unsigned},
		{name: "an attestation in a bundle is no signature", image: "bundle attested", spec: with(one, entry), reason: unsigned},
	}
	for i := range rows {
		rows[i].children = rows[i].image == "index" || rows[i].image == "bundle index"
	}
	return rows
}
