package sigstore_test

// identityRows are good signatures of whom nobody wanted.
func (g *gallery) identityRows() []row {
	people, workflows := g.Issuers.People, g.Issuers.Workflows
	name := releaseWorkflow.Identity()
	as := func(title, image, reason string, block object) row {
		return row{name: title, image: image, spec: with(block, rooted(), logged()), reason: reason}
	}
	good := func(r row, signer, issuer string) row {
		r.signer, r.issuer = signer, issuer
		return r
	}
	identity := func(expression string) object { return object{"identity": nil, "identityRegExp": expression} }
	issuer := func(expression string) object { return object{"oidcIssuer": nil, "oidcIssuerRegExp": expression} }
	var rows []row
	for _, in := range []string{"keyless", "bundle keyless v1", "bundle keyless v2"} {
		rows = append(rows,
			as(in+": the right issuer with a foreign identity", in, "IDENTITY_MISMATCH", certificates(people, "eve@corp.example")),
			as(in+": the right identity of a foreign issuer", in, "ISSUER_MISMATCH", certificates(workflows, developer)),
			as(in+": an identity that is only contained", in, "IDENTITY_MISMATCH", certificates(people, "", identity(`ev@corp`))),
			as(in+": an identity that only begins so", in, "IDENTITY_MISMATCH", certificates(people, "", identity(`dev@corp`))),
			as(in+": an identity that only ends so", in, "IDENTITY_MISMATCH", certificates(people, "", identity(`@corp\.example`))),
			as(in+": an issuer that is only contained", in, "ISSUER_MISMATCH", certificates("", developer, issuer(`127\.0\.0\.1:[0-9]+/peopl`))),
			good(as(in+": expressions that match as a whole", in, "",
				with(certificates("", "", identity(`[a-z]+@corp\.example`), issuer(`http://127\.0\.0\.1:[0-9]+/people`)))), developer, people),
			as(in+": a key is no certificate", in, "KEY_MISMATCH", keys(g.one.Public)),
		)
	}
	return append(
		rows,
		as("a workflow of another branch", "keyless workflow", "IDENTITY_MISMATCH", certificates(workflows, name+"2")),
		as("a workflow, the expression ends too soon", "keyless workflow", "IDENTITY_MISMATCH",
			certificates(workflows, "", identity(`https://github\.com/acme/app/\.github/workflows/release\.yml@refs/heads/`))),
		good(as("a workflow on any branch", "bundle workflow v2", "",
			certificates(workflows, "", identity(`https://github\.com/acme/app/\.github/workflows/release\.yml@refs/heads/.*`))), name, workflows),
		row{name: "another key", image: "key", spec: keys(g.two.Public), reason: "KEY_MISMATCH"},
		row{name: "another key for a bundle", image: "bundle key v2", spec: keys(g.two.Public), reason: "KEY_MISMATCH"},
		row{name: "a certificate wanted, a key used", image: "key logged", spec: with(g.person(), rooted(), logged()), reason: "KEY_MISMATCH"},
		row{name: "either a key or a certificate, and it is the certificate", image: "keyless", spec: with(keys(g.two.Public), g.person(), rooted(), logged()), signer: developer, issuer: people},
		row{name: "either a key or a certificate, and it is the key", image: "key logged", spec: with(keys(g.one.Public), g.person(), rooted(), logged()), signer: "key-1"},
	)
}
