package verify

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzCertificateAnnotation gives any text as certificate and chain. Only the very
// certificate that the signature was made with may make it Verified.
func FuzzCertificateAnnotation(f *testing.F) {
	evidence := recording(f, "keyless")
	annotations := evidence.Items[0].Annotations
	good := pemCertificates(annotations[leafAnnotation])[0]
	rule := &certificateRule{
		identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer}, demandSCT: true,
		authorities: authorityOf(recordedCertificates(f, "fulcio-chain.pem")), ctLogs: recordedLogs(f, "ctlog.pub"),
	}
	in := integrationOf("x", trust{certificates: []*certificateRule{rule}, logs: recordedLogs(f, "rekor.pub"), demandLog: true})
	f.Add(annotations[leafAnnotation], annotations[chainAnnotation])
	f.Add(" ", "")
	f.Add(annotations[chainAnnotation], annotations[leafAnnotation])
	f.Add(strings.Replace(annotations[leafAnnotation], "M", "N", 3), "-----BEGIN CERTIFICATE-----")
	for _, name := range []string{"own-leaf.pem", "own-leaf-expired.pem", "wrong-root.pem"} {
		f.Add(string(recordedTrust(f, name)), string(recordedTrust(f, name)))
	}
	f.Fuzz(func(t *testing.T, certificate, chain string) {
		changed := withAnnotations(evidence, func(m map[string]string) { m[leafAnnotation], m[chainAnnotation] = certificate, chain })
		got := Judge(changed, in, afterRecording)
		if got.Status == Verified {
			if all := pemCertificates(certificate); len(all) != 1 || !bytes.Equal(all[0], good) {
				t.Errorf("Verified with the certificate %q", certificate)
			}
		}
		judged(t, got)
	})
}

// FuzzRekorBundleAnnotation gives any text as log entry and as timestamp. Only
// the log's own word for this signature may make it Verified.
func FuzzRekorBundleAnnotation(f *testing.F) {
	evidence, stamped := recording(f, "key-log"), recording(f, "keyless-tsa")
	text := evidence.Items[0].Annotations[entryAnnotation]
	trusted := trust{keys: []*trustedKey{recordedKey(f, "k1")}, logs: recordedLogs(f, "rekor.pub"), demandLog: true}
	logged := integrationOf("x", trusted)
	trusted.demandLog, trusted.demandToken, trusted.authorities = false, true, stampers(recordedCertificates(f, "tsa-chain.pem"))
	stamper := integrationOf("x", trusted)
	good := must(annotatedEntry(text))(f)[0]
	f.Add(text)
	f.Add(strings.Replace(text, `"logIndex":0`, `"logIndex":1`, 1))
	f.Add(recording(f, "keyless").Items[0].Annotations[entryAnnotation])
	f.Add(stamped.Items[0].Annotations[tokenAnnotation])
	for _, bad := range []string{`{}`, `{"Payload":{}}`, `{"SignedEntryTimestamp":"","Payload":{"body":7,"integratedTime":1,"logIndex":1,"logID":"x"}}`} {
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Judge(withAnnotations(evidence, func(m map[string]string) { m[entryAnnotation] = text }), logged, afterRecording)
		if got.Status == Verified {
			read, err := annotatedEntry(text)
			if err != nil || len(read) != 1 || !bytes.Equal(read[0].GetCanonicalizedBody(), good.GetCanonicalizedBody()) ||
				read[0].GetIntegratedTime() != good.GetIntegratedTime() || read[0].GetLogIndex() != good.GetLogIndex() {
				t.Errorf("Verified with the entry %q", text)
			}
		}
		judged(t, got)
		got = Judge(withAnnotations(evidence, func(m map[string]string) { m[tokenAnnotation] = text }), stamper, afterRecording)
		if got.Status == Verified {
			t.Errorf("Verified with the timestamp %q", text)
		}
		judged(t, got)
	})
}

// FuzzLoggedBundle changes a bundle that has everything. Verified needs the
// statement that was signed.
func FuzzLoggedBundle(f *testing.F) {
	evidence := recording(f, "b-keyless")
	good, _, ok := parseBundle(evidence.Items[0].Payload)
	if !ok {
		f.Fatal("the fixture cannot be parsed")
	}
	material := recordedRoot(f)
	rule := &certificateRule{
		identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer}, demandSCT: true,
		authorities: authorityOf(recordedCertificates(f, "fulcio-chain.pem")), ctLogs: material.CTLogs(),
	}
	in := integrationOf("x", trust{
		certificates: []*certificateRule{rule}, logs: material.RekorLogs(), demandLog: true,
		authorities: material.TimestampingAuthorities(), demandToken: true,
	})
	for _, name := range []string{"b-keyless", "b-key", "b2-key", "b2-keyless", "b-att"} {
		for _, item := range recording(f, name).Items {
			f.Add(item.Payload)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := Judge(Evidence{Repository: evidence.Repository, Digest: evidence.Digest, Items: []Item{{Format: FormatBundle, Payload: data}}}, in, afterRecording)
		if got.Status == Verified {
			one, _, ok := parseBundle(data)
			mine, _ := payloadOf(good.content)
			if !ok {
				t.Fatal("Verified what cannot be parsed")
			}
			if said, _ := payloadOf(one.content); !bytes.Equal(said, mine) {
				t.Errorf("Verified, though nobody signed %q", said)
			}
		}
		judged(t, got)
	})
}

// judged says what holds of each result.
func judged(t *testing.T, got Result) {
	t.Helper()
	if got.Message == "" || strings.ContainsAny(got.Message, "\r\n") || len(got.Message) > 900 {
		t.Errorf("got %v with the message %q", got.Status, got.Message)
	}
}

// TestEveryByteOfAGoodOne flips each byte of what proves a signature. Never is it
// Verified by another word than that of the log, the authority and the signer.
func TestEveryByteOfAGoodOne(t *testing.T) {
	trusted := trust{keys: []*trustedKey{recordedKey(t, "k1")}, logs: recordedLogs(t, "rekor.pub"), demandLog: true}
	evidence := recording(t, "index-top")
	text := evidence.Items[0].Annotations[entryAnnotation]
	good := must(annotatedEntry(text))(t)[0]
	verified := 0
	for i := range len(text) {
		changed := []byte(text)
		changed[i] ^= 1
		got := Judge(withAnnotations(evidence, func(m map[string]string) { m[entryAnnotation] = string(changed) }), integrationOf("x", trusted), afterRecording)
		if got.Status != Verified {
			continue
		}
		verified++
		// Bits of base64 that say nothing.
		read := must(annotatedEntry(string(changed)))(t)[0]
		if !bytes.Equal(read.GetCanonicalizedBody(), good.GetCanonicalizedBody()) ||
			read.GetIntegratedTime() != good.GetIntegratedTime() || read.GetLogIndex() != good.GetLogIndex() {
			t.Errorf("byte %d: Verified with %q", i, changed)
		}
	}
	if verified > 4 {
		t.Errorf("%d changes left it Verified", verified)
	}
}

// TestHostileAttachmentsStaySmall judges what would make parsers use a hundred
// times its size, or much time.
func TestHostileAttachmentsStaySmall(t *testing.T) {
	authority := newAuthority(t, span{}, span{})
	signer := authority.leaf(t, span{})
	log := newLog(t)
	trusted := trust{
		certificates: []*certificateRule{authority.rule()}, logs: log.trusted(), demandLog: true,
		authorities: stampers(recordedCertificates(t, "tsa-chain.pem")), demandToken: true,
	}
	many := strings.TrimSuffix(strings.Repeat("{},", 80_000), ",")
	body := base64.StdEncoding.EncodeToString([]byte(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"x":[` + many + `]}}`))
	entry := fmt.Sprintf(`{"logIndex":"1","logId":{"keyId":%q},"kindVersion":{"kind":"hashedrekord","version":"0.0.1"},"inclusionProof":{"checkpoint":{"envelope":"x"}},"canonicalizedBody":%q}`,
		base64.StdEncoding.EncodeToString(log.raw), body)
	plain := signer.statementBundle(t, signStatement(labDigest))
	copied := withEntry(plain, log.proven(t, dsseBody(t, signer, plain), "dsse", "0.0.1"))
	head := strings.SplitAfter(string(copied.Payload), `— `)[1]
	line := `— ` + head[:strings.Index(head, `\n`)+2]
	copied.Payload = []byte(strings.Replace(string(copied.Payload), line, strings.Repeat(line, 4000), 1))
	wide := strings.Repeat(certificatePEM(authority.middle), 2000)
	for name, c := range map[string]struct {
		item    Item
		message string
	}{
		"a log entry of many values":       {withEntry(signer.statementBundle(t, signStatement(labDigest)), entry), "it cannot be read"},
		"a statement of many values":       {signer.statementBundle(t, []byte(strings.Replace(string(signStatement(labDigest)), `"predicate":{}`, `"predicate":{"x":[`+many+`]}`, 1))), "more than 16384 values"},
		"a statement of many subjects":     {signer.statementBundle(t, []byte(strings.Replace(string(signStatement(labDigest)), `"subject":[`, `"subject":[`+many+`,`, 1))), "more than 16384 values"},
		"an annotation of many values":     {annotated(signer.image(t), entryAnnotation, `{"x":[`+many+`]}`), "it cannot be read"},
		"a tree head with many signatures": {copied, "larger than any that is read"},
		"a chain of many certificates":     {annotated(signer.image(t), chainAnnotation, wide), "no log entry"},
		"a leaf of many certificates":      {annotated(signer.image(t), leafAnnotation, wide), "larger than any that is read"},
		"a timestamp of a megabyte":        {annotated(signer.image(t), tokenAnnotation, `{"SignedRFC3161Timestamp":"`+strings.Repeat("MIIB", 1<<18)+`"}`), "no log entry"},
		"a log entry of many open arrays":  {annotated(signer.image(t), entryAnnotation, log.entry(t, strings.Repeat("[", 100_000), labNow)), "are not read"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			got := Judge(labEvidence(c.item), integrationOf("lab", trusted), labNow)
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			if got.Status != Untrusted {
				t.Errorf("got %v: %s", got.Status, got.Message)
			}
			contains(t, got.Message, c.message)
			if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
				t.Errorf("judging took %d MiB", used>>20)
			}
			if took > 5*time.Second {
				t.Errorf("judging took %v", took)
			}
		})
	}
}
