package verify_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

func evidenceOf(digest oci.Digest, items ...verify.Item) verify.Evidence {
	return verify.Evidence{
		Repository: oci.Repository{Registry: "registry.test", Path: "app"}, Digest: digest, Items: items,
		CollectedAt: time.Unix(1, 0),
	}
}

func TestJudgeEveryKindOfKey(t *testing.T) {
	digests := map[string]oci.Digest{"sha256": someImage("a"), "sha512": sha512Digest(t, []byte("a"))}
	for kind, s := range allKinds(t) {
		in := s.integration(t, "key")
		for algorithm, digest := range digests {
			for format, item := range map[string]verify.Item{
				"layer": s.layer(t, digest).item(), "bundle": bundleItem(s.bundle(t, digest)),
			} {
				t.Run(kind+" "+algorithm+" "+format, func(t *testing.T) {
					got := verify.Judge(evidenceOf(digest, item), in, time.Unix(2, 0))
					if got.Status != verify.Verified || got.Signer != "key" || got.Reason != "" {
						t.Errorf("got %v %q by %q: %s", got.Status, got.Reason, got.Signer, got.Message)
					}
					if !got.JudgedAt.Equal(time.Unix(2, 0)) || !got.CollectedAt.Equal(time.Unix(1, 0)) {
						t.Errorf("got times %v and %v", got.JudgedAt, got.CollectedAt)
					}
					if k := got.Signatures[0].Key; k == nil || !strings.HasPrefix(k.Fingerprint, "SHA256:") {
						t.Errorf("got key %v", k)
					}
				})
			}
		}
	}
}

func TestJudge(t *testing.T) {
	right, other := newSigner(t), newSigner(t)
	in := right.integration(t, "release")
	digest, elsewhere := someImage("a"), someImage("b")
	good := right.layer(t, digest)

	with := func(change func(*layer)) verify.Item {
		l := right.layer(t, digest)
		change(&l)
		return l.item()
	}
	resigned := func(payload string) verify.Item {
		return layer{payload: []byte(payload), annotations: map[string]string{
			signatureAnnotation: base64.StdEncoding.EncodeToString(right.sign(t, []byte(payload))),
		}}.item()
	}
	goodBundle := right.bundle(t, digest)
	entries := func(field string, n int) verify.Item {
		return bundleItem(replace(goodBundle, `"publicKey"`, `"`+field+`":[`+strings.TrimSuffix(strings.Repeat(`{},`, n), ",")+`],"publicKey"`))
	}
	stamps := func(n int) verify.Item {
		return bundleItem(replace(goodBundle, `"publicKey"`,
			`"timestampVerificationData":{"rfc3161Timestamps":[`+strings.TrimSuffix(strings.Repeat(`{},`, n), ",")+`]},"publicKey"`))
	}

	for _, c := range []struct {
		name   string
		item   verify.Item
		status verify.Status
		reason verify.Reason
	}{
		{"a good layer", good.item(), verify.Verified, ""},
		{"a layer by another key", other.layer(t, digest).item(), verify.Untrusted, verify.KeyMismatch},
		{"a good layer of another image", right.layer(t, elsewhere).item(), verify.Untrusted, verify.DigestMismatch},
		{"another key on another image", other.layer(t, elsewhere).item(), verify.Untrusted, verify.KeyMismatch},
		{"a signature that is not base64", with(func(l *layer) { l.annotations[signatureAnnotation] = "?" }), verify.Untrusted, verify.Malformed},
		{"no signature annotation", with(func(l *layer) { delete(l.annotations, signatureAnnotation) }), verify.Untrusted, verify.Malformed},
		{"a payload that is not JSON, though signed", resigned("hello"), verify.Untrusted, verify.Malformed},
		{"a payload of the wrong shape, though signed", resigned(`{"critical":7}`), verify.Untrusted, verify.Malformed},
		{
			"another type, though signed",
			resigned(strings.Replace(string(claimOf(digest)), "cosign container image signature", "atomic container signature", 1)),
			verify.Untrusted, verify.Malformed,
		},
		{
			"no digest in the claim, though signed",
			resigned(strings.Replace(string(claimOf(digest)), digest.String(), "", 1)),
			verify.Untrusted, verify.DigestMismatch,
		},
		{"one byte of the payload changed", with(func(l *layer) { l.payload = replace(l.payload, `"x"`, `"y"`) }), verify.Untrusted, verify.KeyMismatch},
		{"a foreign log entry beside a good signature", with(func(l *layer) { l.annotations[bundleAnnotation] = `{"Payload":{}}` }), verify.Verified, ""},
		{"a blank certificate beside a good signature", with(func(l *layer) { l.annotations[certificateAnnotation] = " " }), verify.Verified, ""},

		{"a good bundle", bundleItem(goodBundle), verify.Verified, ""},
		{"a bundle by another key", bundleItem(other.bundle(t, digest)), verify.Untrusted, verify.KeyMismatch},
		{"a good bundle of another image", bundleItem(right.bundle(t, elsewhere)), verify.Untrusted, verify.DigestMismatch},
		{"an attestation by the right key", bundleItem(right.envelope(t, statement(digest, "https://slsa.dev/provenance/v1"))), verify.Unsigned, ""},
		{"a statement that is not JSON, though signed", bundleItem(right.envelope(t, []byte("hello"))), verify.Untrusted, verify.Malformed},
		{"a statement without predicate type", bundleItem(right.envelope(t, []byte(`{"subject":[]}`))), verify.Untrusted, verify.Malformed},
		{
			"an older statement type, though signed",
			bundleItem(right.envelope(t, replace(statement(digest, signPredicate), "Statement/v1", "Statement/v0.1"))),
			verify.Untrusted, verify.Unsupported,
		},
		{
			"a statement without subjects, though signed",
			bundleItem(right.envelope(t, fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":%q}`, signPredicate))),
			verify.Untrusted, verify.DigestMismatch,
		},
		{"an envelope of another payload type", bundleItem(replace(goodBundle, "vnd.in-toto+json", "json")), verify.Untrusted, verify.Unsupported},
		{"an envelope without signatures", bundleItem(cut(goodBundle, `"signatures":[`, `]`)), verify.Untrusted, verify.Malformed},
		{"two signatures in one envelope", bundleItem(replace(goodBundle, `"signatures":[`, `"signatures":[{"sig":"AAAA"},`)), verify.Untrusted, verify.Malformed},
		{"a bundle with a certificate", bundleItem(replace(goodBundle, `"publicKey":{"hint":"x"}`, `"certificate":{"rawBytes":"AAAA"}`)), verify.Untrusted, verify.KeyMismatch},
		{"a bundle without verification material", bundleItem(replace(goodBundle, `"verificationMaterial":{"publicKey":{"hint":"x"}},`, ``)), verify.Untrusted, verify.Malformed},
		{"a bundle of a version to come", bundleItem(replace(goodBundle, "v0.3", "v0.9")), verify.Untrusted, verify.Malformed},
		{"a signature over the image's bytes", bundleItem(right.message(t, []byte("image a"))), verify.Verified, ""},
		{"a signature over another image's bytes", bundleItem(right.message(t, []byte("image b"))), verify.Untrusted, verify.DigestMismatch},
		{"a signature over the bytes by another key", bundleItem(other.message(t, []byte("image a"))), verify.Untrusted, verify.KeyMismatch},
		{"a message signature without digest", bundleItem(cut(right.message(t, []byte("image a")), `"messageDigest":{`, `}`)), verify.Untrusted, verify.Malformed},

		{"32 log entries that are nonsense", entries("tlogEntries", 32), verify.Verified, ""},
		{"33 log entries", entries("tlogEntries", 33), verify.Untrusted, verify.OverLimit},
		{"33 log entries by their other name", entries("tlog_entries", 33), verify.Untrusted, verify.OverLimit},
		{"16 timestamps", stamps(16), verify.Verified, ""},
		{"17 timestamps", stamps(17), verify.Untrusted, verify.OverLimit},
		{"a million values", bundleItem([]byte(`{"x":[` + strings.Repeat("0,", 400_000) + `0]}`)), verify.Untrusted, verify.OverLimit},
		{"a bundle over 1 MiB", bundleItem([]byte(`{"mediaType":"` + strings.Repeat("x", verify.MaxSignatureBytes) + `"}`)), verify.Untrusted, verify.OverLimit},
		{"100,000 open brackets", bundleItem([]byte(`{"x":` + strings.Repeat("[", 100_000))), verify.Untrusted, verify.Malformed},
		{"a key twice", bundleItem(replace(goodBundle, `"dsseEnvelope"`, `"mediaType":"x","dsseEnvelope"`)), verify.Untrusted, verify.Malformed},
		{"bytes behind the bundle", bundleItem(append(append([]byte{}, goodBundle...), "{}"...)), verify.Untrusted, verify.Malformed},
		{"no bytes", bundleItem(nil), verify.Untrusted, verify.Malformed},
		{"null", bundleItem([]byte("null")), verify.Untrusted, verify.Malformed},
		{"no format", verify.Item{Payload: goodBundle}, verify.Untrusted, verify.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			alone := verify.Judge(evidenceOf(digest, c.item), in, time.Now())
			if alone.Status != c.status || alone.Reason != c.reason {
				t.Errorf("got %v %q (%s), want %v %q", alone.Status, alone.Reason, alone.Message, c.status, c.reason)
			}
			if strings.ContainsAny(alone.Message, "\n\r") || len(alone.Message) > 400 || alone.Message == "" {
				t.Errorf("got message %q, want one short line", alone.Message)
			}
			// Whatever stands beside a good signature, the good one counts.
			for _, items := range [][]verify.Item{{c.item, good.item()}, {good.item(), c.item}} {
				both := verify.Judge(evidenceOf(digest, items...), in, time.Now())
				if both.Status != verify.Verified || len(both.Signatures) != 2 {
					t.Errorf("beside a good signature: got %v with %d signatures", both.Status, len(both.Signatures))
				}
			}
		})
	}
}

// TestJudgePanics has the annotations on which cosign's own loop ends the
// process: here they are not even looked at, and a parser that panics all the
// same costs that signature alone.
func TestJudgePanics(t *testing.T) {
	s := newSigner(t)
	in, digest := s.integration(t, "release"), someImage("a")
	for name, annotations := range panicInputs() {
		t.Run(name, func(t *testing.T) {
			bad := layer{payload: []byte(`{}`), annotations: annotations}
			got := verify.Judge(evidenceOf(digest, bad.item(), s.layer(t, digest).item()), in, time.Now())
			if got.Status != verify.Verified || got.Signatures[0].Status != verify.Untrusted {
				t.Errorf("got %v, the bad one %v", got.Status, got.Signatures[0].Status)
			}
		})
	}
}

// panicInputs are the inputs of the six crashes known of cosign 2.6.5.
func panicInputs() map[string]map[string]string {
	entry := func(body string) string {
		return `{"Payload":{"body":"` + base64.StdEncoding.EncodeToString([]byte(body)) + `"}}`
	}
	inputs := map[string]map[string]string{}
	for name, bundle := range map[string]string{
		"empty bundle object": `{}`,
		"empty payload":       `{"Payload":{}}`,
		"body not a string":   `{"SignedEntryTimestamp":"","Payload":{"body":7,"integratedTime":1,"logIndex":1,"logID":"x"}}`,
		"dsse no signatures":  entry(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"signatures":[],"envelopeHash":{"algorithm":"sha256","value":"aa"},"payloadHash":{"algorithm":"sha256","value":"aa"}}}`),
		"hashedrekord no key": entry(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"signature":{"content":"AAAA"},"data":{"hash":{"algorithm":"sha256","value":"aa"}}}}`),
	} {
		inputs[name] = map[string]string{signatureAnnotation: "AAAA", bundleAnnotation: bundle}
	}
	inputs["blank certificate"] = map[string]string{signatureAnnotation: "AAAA", certificateAnnotation: " "}
	return inputs
}

// cut removes what stands between begin and end.
func cut(b []byte, begin, end string) []byte {
	s := string(b)
	from := strings.Index(s, begin) + len(begin)
	to := from + strings.Index(s[from:], end)
	return []byte(s[:from] + s[to:])
}
