package verify

import (
	"bytes"
	"crypto"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// BenchmarkWays judges one signature of each way, and beside it calls alone what
// no verifier can do without: "floor" in the name.
func BenchmarkWays(b *testing.B) {
	material := recordedRoot(b)
	key := []*trustedKey{recordedKey(b, "k1")}
	rekor, tsa := recordedLogs(b, "rekor.pub"), stampers(recordedCertificates(b, "tsa-chain.pem"))
	keyless := &certificateRule{
		identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer}, demandSCT: true,
		authorities: authorityOf(recordedCertificates(b, "fulcio-chain.pem")), ctLogs: material.CTLogs(),
	}
	own := &certificateRule{
		identity: matcher{exact: ownIdentity}, issuer: matcher{exact: ownIssuer}, ownChain: true,
		authorities: authorityOf(recordedCertificates(b, "own-chain.pem")),
	}
	for _, c := range []struct {
		name, image string
		trust       trust
	}{
		{"key", "key-nolog", trust{keys: key}},
		{"key and log", "key-log", trust{keys: key, logs: rekor, demandLog: true}},
		{"own authority", "own-ca", trust{certificates: []*certificateRule{own}}},
		{"keyless", "keyless", trust{certificates: []*certificateRule{keyless}, logs: rekor, demandLog: true}},
		{"bundle by key", "b-key", trust{keys: key}},
		{"bundle by key and log", "b-key", trust{keys: key, logs: rekor, demandLog: true}},
		{"bundle keyless", "b-keyless", trust{certificates: []*certificateRule{keyless}, logs: rekor, demandLog: true, authorities: tsa}},
	} {
		evidence := recording(b, c.image)
		in := integrationOf("x", c.trust)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Judge(evidence, in, afterRecording); got.Status != Verified {
					b.Fatal(got.Message)
				}
			}
		})
		b.Run(c.name+" floor", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				floor(b, evidence.Items[0], &c.trust)
			}
		})
	}
}

// floor parses the item and calls the libraries for each proof that trusted asks
// for, once, and compares nothing.
func floor(b *testing.B, item Item, trusted *trust) {
	one, _, ok := parse(item)
	if !ok {
		b.Fatal("not parsed")
	}
	by := signer{}
	if len(trusted.keys) > 0 {
		by = keySigner(trusted.keys[0])
	} else {
		leaf := must(one.leaf())(b)
		by = signer{leaf: leaf, content: byLeaf{leaf}, verifier: must(signature.LoadVerifier(leaf.PublicKey, crypto.SHA256))(b)}
	}
	if one.covers == coversPayload {
		if err := by.verifier.VerifySignature(bytes.NewReader(one.signature), bytes.NewReader(one.payload)); err != nil {
			b.Fatal(err)
		}
	} else if err := sgverify.VerifySignature(one.content, by.content, &material{verifier: by.verifier}); err != nil {
		b.Fatal(err)
	}
	if trusted.demandLog {
		entry := must((&attempt{signed: one, trust: trusted}).readEntry(must(one.entries())(b)[0]))(b)
		must(sgverify.VerifyTlogEntry(&entity{content: one.content, by: by.content, entry: entry}, &material{logs: trusted.logs, verifier: by.verifier}, 1, true))(b)
	}
	for _, authority := range trusted.authorities {
		must(authority.Verify(must(one.tokens())(b)[0], one.signature))(b)
	}
	for _, rule := range trusted.certificates {
		floorChain(b, by, rule)
	}
}

func floorChain(b *testing.B, by signer, rule *certificateRule) {
	chains := must(rule.authorities[0].(*root.FulcioCertificateAuthority).Verify(by.leaf, by.leaf.NotBefore.Add(time.Second)))(b)
	if !rule.demandSCT {
		return
	}
	if err := sgverify.VerifySignedCertificateTimestamp(chains, 1, &material{ctLogs: rule.ctLogs}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkManyIntegrations judges one image under 1 and under 200 integrations.
func BenchmarkManyIntegrations(b *testing.B) {
	evidence := recording(b, "b-keyless")
	material := recordedRoot(b)
	authorities := authorityOf(recordedCertificates(b, "fulcio-chain.pem"))
	for name, n := range map[string]int{"1": 1, "200": 200} {
		b.Run(name, func(b *testing.B) {
			var all []*Integration
			for range n {
				rule := &certificateRule{
					identity: matcher{exact: "somebody@corp.example"}, issuer: matcher{exact: devIssuer}, demandSCT: true,
					authorities: authorities, ctLogs: material.CTLogs(),
				}
				all = append(all, integrationOf("x", trust{
					certificates: []*certificateRule{rule}, demandLog: true, logs: material.RekorLogs(), authorities: material.TimestampingAuthorities(),
				}))
			}
			b.ReportAllocs()
			for b.Loop() {
				judgeAll(evidence, all, afterRecording)
			}
		})
	}
}
