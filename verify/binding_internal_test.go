package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	entryAnnotation = "dev.sigstore.cosign/bundle"
	leafAnnotation  = "dev.sigstore.cosign/certificate"
	chainAnnotation = "dev.sigstore.cosign/chain"
	tokenAnnotation = "dev.sigstore.cosign/rfc3161timestamp"
)

// v2Body is the entry of a Rekor v2 for a signature of digest.
func v2Body(t *testing.T, by labSigner, digest, signature []byte) string {
	t.Helper()
	return fmt.Sprintf(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":%q},"signature":{"content":%q,"verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":%q}}}}}}`,
		base64.StdEncoding.EncodeToString(digest), base64.StdEncoding.EncodeToString(signature),
		base64.StdEncoding.EncodeToString(must(x509.MarshalPKIXPublicKey(by.key.Public()))(t)))
}

// proven is a bundle's entry for body, proven by a tree head in the form of v1.
func (l labLog) proven(t *testing.T, body, kind, version string) string {
	t.Helper()
	leaf := sha256.Sum256(append([]byte{0}, body...))
	return string(must(json.Marshal(map[string]any{
		"logIndex": "0", "logId": map[string]any{"keyId": l.raw},
		"kindVersion": map[string]any{"kind": kind, "version": version},
		"inclusionProof": map[string]any{
			"logIndex": "0", "rootHash": leaf[:], "treeSize": "1",
			"checkpoint": map[string]any{"envelope": l.checkpoint(t, leaf[:])},
		},
		"canonicalizedBody": []byte(body),
	}))(t))
}

// promised is a bundle's entry for body with a signed entry timestamp alone.
func (l labLog) promised(t *testing.T, body string) string {
	t.Helper()
	var entry struct{ SignedEntryTimestamp []byte }
	if err := json.Unmarshal([]byte(l.entry(t, body, labNow)), &entry); err != nil {
		t.Fatal(err)
	}
	return string(must(json.Marshal(map[string]any{
		"logIndex": "7", "logId": map[string]any{"keyId": l.raw}, "integratedTime": fmt.Sprint(labNow.Unix()),
		"kindVersion":      map[string]any{"kind": "dsse", "version": "0.0.1"},
		"inclusionPromise": map[string]any{"signedEntryTimestamp": entry.SignedEntryTimestamp}, "canonicalizedBody": []byte(body),
	}))(t))
}

func version01(item Item) Item {
	item.Payload = []byte(strings.Replace(string(item.Payload), "bundle.v0.3+json", "bundle+json;version=0.1", 1))
	return item
}

// TestBinding has evidence of which each piece is good, and belongs to something
// else.
func TestBinding(t *testing.T) {
	authority := newAuthority(t, span{}, span{})
	one, other := authority.leaf(t, span{}), authority.leaf(t, span{})
	bare, stranger := labSigner{key: one.key}, labSigner{key: labKey(t)}
	log, elsewhere := newLog(t), newLog(t)
	image, again := one.image(t), one.image(t)
	bareImage := bare.image(t)
	statement := bare.statementBundle(t, signStatement(labDigest))

	keyed := trust{keys: bare.trusted(t, window{}), demandLog: true, logs: log.trusted()}
	certified := trust{certificates: []*certificateRule{authority.rule()}, demandLog: true, logs: log.trusted()}
	tsa := stampers(recordedCertificates(t, "tsa-chain.pem"))
	stamped := recording(t, "keyless-tsa").Items[0]
	tokens := trust{keys: bare.trusted(t, window{}), demandToken: true, authorities: tsa}

	with := func(item Item, body string) Item {
		return annotated(item, entryAnnotation, log.entry(t, body, labNow))
	}
	tampered := log.logged(t, bare, bareImage, labNow)
	tampered = annotated(tampered, entryAnnotation, strings.Replace(tampered.Annotations[entryAnnotation], fmt.Sprint(labNow.Unix()), fmt.Sprint(labNow.Unix()-5), 1))
	raw := must(base64.StdEncoding.DecodeString(bareImage.Annotations["dev.cosignproject.cosign/signature"]))(t)
	sum := sha256.Sum256(bareImage.Payload)
	dsse := dsseBody(t, bare, statement)
	payloadHash := fmt.Sprintf("%x", sha256.Sum256(signStatement(labDigest)))
	proof, promise := log.proven(t, dsse, "dsse", "0.0.1"), log.promised(t, dsse)

	for _, c := range []struct {
		name  string
		item  Item
		trust trust
		want  Reason // empty is Verified
	}{
		{"a good entry of a key", log.logged(t, bare, bareImage, labNow), keyed, ""},
		{"a good entry of a certificate", log.logged(t, one, image, labNow), certified, ""},
		{"an entry that holds the certificate, for its key", log.logged(t, one, image, labNow), keyed, ""},
		{"an entry of another signature by the same key", with(image, entryBody(again, certificatePEM(one.leaf))), certified, TlogInvalid},
		{"an entry of another key over these bytes", with(bareImage, entryBody(bareImage, publicPEM(t, stranger.key.Public()))), keyed, TlogInvalid},
		{"an entry of the bare key for a certificate", with(image, entryBody(image, publicPEM(t, one.key.Public()))), certified, TlogInvalid},
		{"an entry of another certificate of the same names", with(image, entryBody(image, certificatePEM(other.leaf))), certified, TlogInvalid},
		{"an entry of another digest", with(bareImage, strings.Replace(entryBody(bareImage, publicPEM(t, bare.key.Public())), hex.EncodeToString(sum[:]), strings.Repeat("ab", 32), 1)), keyed, TlogInvalid},
		{"an entry of another log", elsewhere.logged(t, bare, bareImage, labNow), keyed, TlogInvalid},
		{"an entry that another log signed in this one's name", annotated(bareImage, entryAnnotation, strings.ReplaceAll(elsewhere.logged(t, bare, bareImage, labNow).Annotations[entryAnnotation], elsewhere.id, log.id)), keyed, TlogInvalid},
		{"an entry whose time was changed", tampered, keyed, TlogInvalid},
		{"an entry without a signature of the log", annotated(bareImage, entryAnnotation, strings.Replace(tampered.Annotations[entryAnnotation], `"SignedEntryTimestamp":"`, `"SignedEntryTimestamp":"","x":"`, 1)), keyed, TlogInvalid},
		{"an entry of a kind that is not read", with(bareImage, strings.Replace(entryBody(bareImage, "x"), "hashedrekord", "rekord", 1)), keyed, TlogInvalid},
		{"no entry", bareImage, keyed, TlogMissing},
		{"null for an entry", annotated(bareImage, entryAnnotation, "null"), keyed, TlogMissing},

		{"a bundle with a good entry", withEntry(statement, proof), keyed, ""},
		{"a bundle with an entry of another envelope by the same key", withEntry(statement, log.proven(t, dsseBody(t, bare, bare.statementBundle(t, signStatement(labDigest))), "dsse", "0.0.1")), keyed, TlogInvalid},
		{"a bundle with an entry of another payload", withEntry(statement, log.proven(t, strings.Replace(dsse, payloadHash, strings.Repeat("ab", 32), 1), "dsse", "0.0.1")), keyed, TlogInvalid},
		{"a bundle with an entry of another kind", withEntry(statement, log.proven(t, entryBody(bareImage, publicPEM(t, bare.key.Public())), "hashedrekord", "0.0.1")), keyed, TlogInvalid},
		{"a bundle with a proof to another root hash", withEntry(statement, strings.Replace(proof, `"rootHash":"`, `"rootHash":"AAAA`, 1)), keyed, TlogInvalid},
		{"a bundle with a tree head of another log", withEntry(statement, strings.ReplaceAll(elsewhere.proven(t, dsse, "dsse", "0.0.1"), base64.StdEncoding.EncodeToString(elsewhere.raw), base64.StdEncoding.EncodeToString(log.raw))), keyed, TlogInvalid},
		{"a bundle with a promise alone", withEntry(statement, promise), keyed, TlogInvalid},
		{"a bundle of version 0.1 with a promise alone", version01(withEntry(statement, promise)), keyed, ""},
		{"a bundle of version 0.1 with a proof alone", version01(withEntry(statement, proof)), keyed, TlogInvalid},
		{"a body in the form of v2 for another signature, under a tree head in the form of v1", withEntry(statement, log.proven(t, v2Body(t, bare, sum[:], raw), "hashedrekord", "0.0.2")), keyed, TlogInvalid},
		{"a body of another version than the entry says", withEntry(statement, log.proven(t, v2Body(t, bare, sum[:], raw), "hashedrekord", "0.0.1")), keyed, TlogInvalid},

		{"a statement with a digest that is none", bare.statementBundle(t, []byte(strings.Replace(string(signStatement(labDigest)), `"subject":[`, `"subject":[{"digest":{"sha1":"x"}},`, 1))), trust{keys: keyed.keys}, Malformed},
		{"a statement of two subjects", bare.statementBundle(t, []byte(strings.Replace(string(signStatement(labDigest)), `"subject":[`, `"subject":[{"name":"other","digest":{"sha256":"`+strings.Repeat("00", 32)+`"}},`, 1))), trust{keys: keyed.keys}, ""},

		{"a certificate beside another's bytes", annotated(image, leafAnnotation, certificatePEM(other.leaf)), trust{certificates: certified.certificates}, KeyMismatch},
		{"a certificate of another authority with the right names", newAuthority(t, span{}, span{}).leaf(t, span{}).image(t), trust{certificates: certified.certificates}, ChainInvalid},
		{"a bundle with a certificate, for its key", one.statementBundle(t, signStatement(labDigest)), trust{keys: bare.trusted(t, window{})}, KeyMismatch},
		{"a bundle with a certificate", one.statementBundle(t, signStatement(labDigest)), trust{certificates: certified.certificates}, ""},

		{"a timestamp of another signature", annotated(bareImage, tokenAnnotation, stamped.Annotations[tokenAnnotation]), tokens, TimestampInvalid},
		{"a timestamp that is cut off", annotated(bareImage, tokenAnnotation, `{"SignedRFC3161Timestamp":"MIIECjAD"}`), tokens, TimestampInvalid},
		{"a timestamp that is no JSON", annotated(bareImage, tokenAnnotation, `MII`), tokens, TimestampInvalid},
		{"a timestamp beyond the limit", annotated(bareImage, tokenAnnotation, `{"SignedRFC3161Timestamp":"`+strings.Repeat("A", 2*maxTokenBytes)+`"}`), tokens, TimestampInvalid},
		{"null for a timestamp", annotated(bareImage, tokenAnnotation, `null`), tokens, TimestampMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(labEvidence(c.item), integrationOf("lab", c.trust), labNow)
			if c.want == "" && got.Status != Verified || c.want != "" && (got.Status != Untrusted || got.Reason != c.want) {
				t.Errorf("got %v %s: %s, want %q", got.Status, got.Reason, got.Message, c.want)
			}
			if strings.ContainsAny(got.Message, "\r\n") || len(got.Message) > 900 {
				t.Errorf("got message %q", got.Message)
			}
		})
	}
}

// dsseBody is the entry of a Rekor v1 for the envelope in item.
func dsseBody(t *testing.T, by labSigner, item Item) string {
	t.Helper()
	var bundle struct {
		Envelope struct {
			Payload    []byte `json:"payload"`
			Signatures []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(item.Payload, &bundle); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"envelopeHash":{"algorithm":"sha256","value":"%x"},"payloadHash":{"algorithm":"sha256","value":"%x"},"signatures":[{"signature":%q,"verifier":%q}]}}`,
		sha256.Sum256(nil), sha256.Sum256(bundle.Envelope.Payload), bundle.Envelope.Signatures[0].Sig,
		base64.StdEncoding.EncodeToString([]byte(publicPEM(t, by.key.Public()))))
}

// TestGoodBesideBad has a good entry or token among bad ones, in each order: the
// bad ones neither help nor hurt.
func TestGoodBesideBad(t *testing.T) {
	key := recordedKey(t, "k1")
	evidence := recording(t, "b-key")
	trusted := trust{keys: []*trustedKey{key}, demandLog: true, logs: recordedLogs(t, "rekor.pub"), demandToken: true, authorities: stampers(recordedCertificates(t, "tsa-chain.pem"))}
	bad := `{"logIndex":"1","logId":{"keyId":"AAAA"},"kindVersion":{"kind":"hashedrekord","version":"0.0.1"},"canonicalizedBody":"e30="}`
	for name, changed := range map[string]Evidence{
		"untouched":                   evidence,
		"a bad entry before":          withPayload(evidence, `"tlogEntries":[`, `"tlogEntries":[`+bad+`,`),
		"an empty entry before":       withPayload(evidence, `"tlogEntries":[`, `"tlogEntries":[{},`),
		"a bad timestamp before":      withPayload(evidence, `"rfc3161Timestamps":[`, `"rfc3161Timestamps":[{"signedTimestamp":"AAAA"},`),
		"an empty timestamp before":   withPayload(evidence, `"rfc3161Timestamps":[`, `"rfc3161Timestamps":[{},`),
		"the same timestamp 15 times": withPayload(evidence, `"rfc3161Timestamps":[`, `"rfc3161Timestamps":[`+strings.Repeat(`{"signedTimestamp":"AAAA"},`, 15)),
	} {
		if got := Judge(changed, integrationOf("x", trusted), afterRecording); got.Status != Verified {
			t.Errorf("%s: got %v %s: %s", name, got.Status, got.Reason, got.Message)
		}
	}
}

// TestAttachedNonsenseHurtsNothing puts nonsense into what nobody demands.
func TestAttachedNonsenseHurtsNothing(t *testing.T) {
	authority := newAuthority(t, span{}, span{})
	signer := authority.leaf(t, span{})
	bare := labSigner{key: signer.key}
	ways := map[string]trust{
		"a key":               {keys: bare.trusted(t, window{})},
		"a key with a window": {keys: bare.trusted(t, window{notAfter: labNow.AddDate(1, 0, 0)}), logs: newLog(t).trusted()},
		"an own authority":    {certificates: []*certificateRule{authority.rule()}, logs: newLog(t).trusted()},
	}
	nonsense := []string{
		"", " ", "{}", "[]", "null", "7", `"x"`, `{"Payload":{}}`, `{"SignedEntryTimestamp":"AAAA","Payload":{"body":7}}`,
		`{"SignedRFC3161Timestamp":7}`, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", strings.Repeat("x", 1<<20),
		`{"SignedEntryTimestamp":"AAAA","Payload":{"body":"e30=","integratedTime":-1,"logIndex":-1,"logID":"aa"}}`,
	}
	for way, trusted := range ways {
		for _, name := range []string{entryAnnotation, tokenAnnotation, chainAnnotation} {
			for _, text := range nonsense {
				got := Judge(labEvidence(annotated(signer.image(t), name, text)), integrationOf("x", trusted), labNow)
				if got.Status != Verified {
					t.Errorf("%s, %s %.60q: got %v %s: %s", way, name, text, got.Status, got.Reason, got.Message)
				}
			}
		}
	}
}

// TestEmptyMessageByEd25519 has a key of plain Ed25519 that has signed an empty
// file: that is a signature of no image, though a library that is given a digest
// alone verifies it against no bytes.
func TestEmptyMessageByEd25519(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := must(newTrustedKey("ed", public))(t)
	bundle := fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":%q},"signature":%q}}`,
		base64.StdEncoding.EncodeToString(sumOf(labDigest)), base64.StdEncoding.EncodeToString(ed25519.Sign(private, nil)))
	got := Judge(labEvidence(Item{Format: FormatBundle, Payload: []byte(bundle)}), integrationOf("x", trust{keys: []*trustedKey{key}}), time.Now())
	if got.Status != Untrusted || got.Reason != KeyMismatch {
		t.Errorf("got %v %s: %s", got.Status, got.Reason, got.Message)
	}
}
