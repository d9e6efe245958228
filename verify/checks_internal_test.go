package verify

import (
	"slices"
	"testing"
	"time"
)

// TestEveryCheckDecides has for each check of the road an image that is wrong in
// its one thing. It is refused with the check's reason, and Verified when the
// check is taken out: so none of them can be lost, nor do the work of another.
//
// The checks outside the roads, and the tests that fail without them:
//
//	signature by a key       TestJudge/a_layer_by_another_key
//	signature by certificate TestBinding/a_certificate_beside_another's_bytes
//	predicate                TestJudge/an_attestation_by_the_right_key
//	entry bound              TestBinding/a_body_in_the_form_of_v2_…
//	proof a bundle must have TestBinding/a_bundle_with_a_promise_alone
//	key's strength           TestCertificates/a_key_that_is_too_short
func TestEveryCheckDecides(t *testing.T) {
	authority, stranger := newAuthority(t, span{}, span{}), newAuthority(t, span{}, span{})
	signer := authority.leaf(t, span{})
	plain := labSigner{key: labKey(t)}
	own := func(change func(*certificateRule)) trust {
		rule := authority.rule()
		change(rule)
		return trust{certificates: []*certificateRule{rule}}
	}
	keyless := recording(t, "keyless")
	fulcio := &certificateRule{
		identity: matcher{exact: devIdentity}, issuer: matcher{exact: devIssuer},
		authorities: authorityOf(recordedCertificates(t, "fulcio-chain.pem")),
		demandSCT:   true, ctLogs: recordedLogs(t, "wrong.pub"),
	}
	past := window{notAfter: labNow.AddDate(0, 0, -1)}

	for _, c := range []struct {
		name     string
		road     *[]check
		at       int
		evidence Evidence
		trust    trust
		reason   Reason
	}{
		{
			"claim, of a payload", &everyRoad, 0,
			labEvidence(signer.sign(t, labPayload(recording(t, "key-log").Digest, "x"))), own(func(*certificateRule) {}), DigestMismatch,
		},
		{
			"claim, of a statement", &everyRoad, 0,
			labEvidence(plain.statementBundle(t, signStatement(recording(t, "key-log").Digest))),
			trust{keys: plain.trusted(t, window{})},
			DigestMismatch,
		},
		{
			"name", &everyRoad, 1,
			labEvidence(plain.sign(t, labPayload(labDigest, "registry.test/other"))),
			trust{keys: plain.trusted(t, window{}), name: nameRule{mode: nameRepository}},
			NameMismatch,
		},
		{"log", &everyRoad, 2, labEvidence(plain.image(t)), trust{keys: plain.trusted(t, window{}), demandLog: true}, TlogMissing},
		{"timestamp", &everyRoad, 3, labEvidence(plain.image(t)), trust{keys: plain.trusted(t, window{}), demandToken: true}, TimestampMissing},
		{"window", &keyRoad, 0, labEvidence(plain.image(t)), trust{keys: plain.trusted(t, past)}, KeyExpired},
		{"chain", &certificateRoad, 0, labEvidence(signer.image(t)), own(func(r *certificateRule) { r.authorities = stranger.trusted() }), ChainInvalid},
		{"time of the chain", &certificateRoad, 0, labEvidence(authority.leaf(t, span{-9, -8}).image(t)), own(func(*certificateRule) {}), CertificateExpired},
		{"pinned", &certificateRoad, 1, labEvidence(signer.image(t)), own(func(r *certificateRule) { r.pinned = authority.leaf(t, span{}).leaf }), ChainInvalid},
		{"issuer", &certificateRoad, 2, labEvidence(signer.image(t)), own(func(r *certificateRule) { r.issuer = matcher{exact: "https://ci.corp.example/"} }), IssuerMismatch},
		{"identity", &certificateRoad, 3, labEvidence(signer.image(t)), own(func(r *certificateRule) { r.identity = matcher{exact: "Builder@corp.example"} }), IdentityMismatch},
		{"SCT, missing", &certificateRoad, 4, labEvidence(signer.image(t)), own(func(r *certificateRule) { r.demandSCT = true }), SCTMissing},
		{
			"SCT, of another log", &certificateRoad, 4, keyless,
			trust{certificates: []*certificateRule{fulcio}, demandLog: true, logs: recordedLogs(t, "rekor.pub")},
			SCTInvalid,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := func() Result { return Judge(c.evidence, integrationOf("lab", c.trust), labNow) }
			if got := judge(); got.Status != Untrusted || got.Reason != c.reason {
				t.Errorf("got %v %s %q, want Untrusted %s", got.Status, got.Reason, got.Message, c.reason)
			}
			usual := *c.road
			defer func() { *c.road = usual }()
			*c.road = slices.Delete(slices.Clone(usual), c.at, c.at+1)
			if got := judge(); got.Status != Verified {
				t.Errorf("without the check: got %v %s %q, want Verified: something else is wrong too", got.Status, got.Reason, got.Message)
			}
		})
	}
	if n := len(everyRoad) + len(keyRoad) + len(certificateRoad); n != 10 {
		t.Errorf("got %d checks: the table above has 10", n)
	}
}

// TestTheZeroTrustTakesNothing judges all recordings and the lab's under trusts
// in which something was forgotten.
func TestTheZeroTrustTakesNothing(t *testing.T) {
	images := recordings(t)
	signer := newAuthority(t, span{}, span{}).leaf(t, span{})
	images = append(images, recorded{"lab", labEvidence(signer.image(t), signer.statementBundle(t, signStatement(labDigest)))})
	for name, forgotten := range map[string]trust{
		"nothing":               {},
		"a rule without a word": {certificates: []*certificateRule{{}}},
		"an own chain of no authority": {certificates: []*certificateRule{{
			ownChain: true, anyIssuer: true, identity: whole(t, ".*"),
		}}},
		"an authority without identity": {certificates: []*certificateRule{{
			ownChain: true, anyIssuer: true, authorities: authorityOf(recordedCertificates(t, "own-chain.pem")),
		}}},
		"an authority without issuer": {certificates: []*certificateRule{{
			ownChain: true, identity: whole(t, ".*"), authorities: authorityOf(recordedCertificates(t, "own-chain.pem")),
		}}},
		"Fulcio without a proof of time": {certificates: []*certificateRule{{
			issuer: whole(t, ".*"), identity: whole(t, ".*"), authorities: authorityOf(recordedCertificates(t, "fulcio-chain.pem")),
		}}},
		"a log without keys": {
			certificates: []*certificateRule{{issuer: whole(t, ".*"), identity: whole(t, ".*"), authorities: authorityOf(recordedCertificates(t, "fulcio-chain.pem"))}},
			demandLog:    true, demandToken: true,
		},
	} {
		for _, image := range images {
			for _, now := range []time.Time{{}, labNow, recordedNow} {
				if got := Judge(image.evidence, integrationOf("x", forgotten), now); got.Status == Verified {
					t.Errorf("%s: %s is Verified: %s", name, image.name, got.Message)
				}
			}
		}
	}
}

// recordedNow is within the ten minutes of the first Fulcio certificates.
var recordedNow = time.Date(2026, 11, 23, 7, 50, 0, 0, time.UTC)
