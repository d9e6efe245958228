package sigstore_test

// nameRows are about the name inside a signature: cosign writes the one by which
// it knew the image, which is the registry's own address here.
func (g *gallery) nameRows() []row {
	one := keys(g.one.Public)
	named := func(mode string) object { return object{"signedName": mode} }
	alias := func(from, to string) object {
		return object{"signedNameAliases": list{object{"from": from, "to": to}}}
	}
	return []row{
		{name: "any name", image: "key", spec: with(one, named("Any")), signer: "key-1"},
		{name: "the image's name is wanted, and it was signed under another", image: "key", spec: with(one, named("Repository")), reason: "NAME_MISMATCH"},
		{name: "the other name is an alias", image: "key", spec: with(one, named("Repository"), alias(g.at.Host+"/acme/**", "docker.io/acme/**")), signer: "key-1"},
		{name: "an alias of another repository", image: "key", spec: with(one, named("Repository"), alias(g.at.Host+"/other/**", "docker.io/acme/**")), reason: "NAME_MISMATCH"},
		{name: "a bundle names nothing, and a name is wanted", image: "bundle key v1", spec: with(one, named("Repository")), reason: "NAME_MISMATCH"},
		{name: "a bundle names nothing, and need not", image: "bundle key v1", spec: with(one, named("RepositoryIfNamed")), signer: "key-1"},
		{name: "a signature that names another, though it need not name any", image: "key", spec: with(one, named("RepositoryIfNamed")), reason: "NAME_MISMATCH"},
	}
}
