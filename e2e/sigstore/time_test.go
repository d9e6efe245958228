package sigstore_test

import "time"

// timeRows are about when a signature was made, and how that is known.
func (g *gallery) timeRows() []row {
	now := time.Now()
	soon := g.brief.X509.NotAfter.Add(time.Second)
	yesterday, tomorrow := now.AddDate(0, 0, -1), now.AddDate(0, 0, 1)
	// What is signed below is signed before soon and judged after it.
	old, current := window{yesterday.AddDate(0, -1, 0), tomorrow}, window{from: yesterday}
	over, future, ending := window{until: yesterday}, window{from: tomorrow}, window{yesterday, soon}
	two := func(first, second window) object { return during(keys(g.one.Public, g.two.Public), first, second) }
	one := func(in window) object { return during(keys(g.one.Public), in) }
	entry := with(rooted(), logged())
	byOwn := func(title, image, reason string, blocks ...object) row {
		return row{
			name: title, image: image, reason: reason, signer: builder, issuer: builderIssuer, after: soon,
			spec: with(append([]object{g.builder()}, blocks...)...),
		}
	}
	return []row{
		{name: "keys that overlap, the old one", image: "key logged", spec: with(two(old, current), entry), signer: "key-1"},
		{name: "keys that overlap, the new one", image: "key other logged", spec: with(two(old, current), entry), signer: "key-2"},
		{name: "keys that overlap, without a log", image: "key", spec: two(old, current), signer: "key-1"},
		{name: "the old key after its time", image: "key logged", spec: with(two(over, current), entry), reason: "KEY_EXPIRED"},
		{name: "the new key before its time", image: "key other logged", spec: with(two(old, future), entry), reason: "KEY_EXPIRED"},
		{name: "the old key after its time, without a log", image: "key", spec: two(over, current), reason: "KEY_EXPIRED"},
		{name: "a bundle of the old key after its time", image: "bundle key v1", spec: with(two(over, current), entry), reason: "KEY_EXPIRED"},
		{name: "a key whose time has ended since the log has its signature", image: "key logged", spec: with(one(ending), entry), signer: "key-1", after: soon},
		{name: "a key whose time has ended since its signature was stamped", image: "key stamped", spec: with(one(ending), rooted()), signer: "key-1", after: soon},
		{name: "a key whose time has ended, and nothing proves when it signed", image: "key", spec: one(ending), reason: "KEY_EXPIRED", after: soon},
		{name: "a key whose time has ended since a bundle of it was stamped for Rekor v2", image: "bundle key v2", spec: with(one(ending), entry), signer: "key-1", after: soon},

		byOwn("a certificate that has ended since, and the log has the signature", "own brief logged", "", rooted(), logged()),
		byOwn("a certificate that has ended since, and the signature is stamped", "own brief stamped", "", rooted(), stamped()),
		byOwn("a certificate that has ended since, and the stamp is taken though none is wanted", "own brief stamped", "", rooted()),
		byOwn("a certificate that has ended, and nothing proves when it signed", "own brief", "CERTIFICATE_EXPIRED"),
		byOwn("a certificate that had ended before it signed", "own late", "CERTIFICATE_EXPIRED"),
		byOwn("a certificate that had ended before it signed, as the log says", "own late logged", "CERTIFICATE_EXPIRED", rooted(), logged()),
		{
			name: "a keyless signature that nothing dates", image: "keyless unlogged", reason: "TLOG_MISSING",
			spec: with(g.person(), rooted(), logged()),
		},
	}
}
