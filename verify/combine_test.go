package verify_test

import (
	"strings"
	"testing"
	"time"

	"vouchsafe/verify"
)

func TestCombine(t *testing.T) {
	right, other := newSigner(t), newSigner(t)
	in := right.integration(t, "release-2026")
	digest := someImage("a")
	good, bad := right.layer(t, digest).item(), other.layer(t, digest).item()
	elsewhere := right.layer(t, someImage("b")).item()
	nonsense := bundleItem([]byte("nonsense"))
	attestation := bundleItem(right.envelope(t, statement(digest, "https://slsa.dev/provenance/v1")))
	item := func(reason verify.Reason, unavailable bool) verify.Item {
		return verify.Item{Format: verify.FormatBundle, Problem: &verify.Problem{Reason: reason, Message: "item", Unavailable: unavailable}}
	}
	place := func(reason verify.Reason, unavailable bool) []verify.Problem {
		return []verify.Problem{{Reason: reason, Message: "place", Unavailable: unavailable}}
	}

	for _, c := range []struct {
		name     string
		items    []verify.Item
		problems []verify.Problem
		over     bool
		status   verify.Status
		reason   verify.Reason
		message  string
	}{
		{"nothing at all is unsigned", nil, nil, false, verify.Unsigned, "", "no signature found in registry.test/app (asked: tag sha256-"},
		{"attestations alone are unsigned", []verify.Item{attestation}, nil, false, verify.Unsigned, "", "no signature found"},
		{"one good signature is enough", []verify.Item{bad, nonsense, good}, nil, false, verify.Verified, "", "signed by release-2026"},
		{"good wins over a place that failed", []verify.Item{good}, place(verify.FetchFailed, true), true, verify.Verified, "", "signed by release-2026"},
		{"a place that failed wins over a bad signature", []verify.Item{bad}, place(verify.FetchFailed, true), false, verify.Unavailable, verify.FetchFailed, "could not be read: place"},
		{"an item that failed makes it unavailable", []verify.Item{bad, item(verify.Timeout, true)}, nil, false, verify.Unavailable, verify.Timeout, "item"},
		{"a missing right is said before a timeout", []verify.Item{item(verify.Timeout, true)}, place(verify.FetchUnauthorized, true), false, verify.Unavailable, verify.FetchUnauthorized, "place"},
		{"a failed place wins over a cap", nil, place(verify.FetchFailed, true), true, verify.Unavailable, verify.FetchFailed, "place"},
		{"a cap without anything else is untrusted", nil, nil, true, verify.Untrusted, verify.OverLimit, "64 signatures"},
		{"a cap is said before the nearest miss", []verify.Item{elsewhere}, nil, true, verify.Untrusted, verify.OverLimit, "64 signatures"},
		{"a malformed place counts as a signature", nil, place(verify.Malformed, false), false, verify.Untrusted, verify.Malformed, "place; wanted release-2026"},
		{"another key", []verify.Item{bad}, nil, false, verify.Untrusted, verify.KeyMismatch, "signed by another key; wanted release-2026"},
		{"the right key elsewhere is nearer than another key", []verify.Item{nonsense, bad, elsewhere}, nil, false, verify.Untrusted, verify.DigestMismatch, "signed by release-2026, but for another image (sha256:"},
		{"another key is nearer than nonsense", []verify.Item{nonsense, bad}, nil, false, verify.Untrusted, verify.KeyMismatch, "signed by another key (the nearest of 2); wanted release-2026"},
		{"an attestation beside a bad signature", []verify.Item{attestation, bad}, nil, false, verify.Untrusted, verify.KeyMismatch, "signed by another key; wanted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			evidence := evidenceOf(digest, c.items...)
			evidence.Problems, evidence.OverLimit = c.problems, c.over
			got := verify.Judge(evidence, in, time.Now())
			if got.Status != c.status || got.Reason != c.reason || !strings.Contains(got.Message, c.message) {
				t.Errorf("got %v %q %q,\nwant %v %q %q", got.Status, got.Reason, got.Message, c.status, c.reason, c.message)
			}
			if len(got.Signatures) != len(c.items) {
				t.Errorf("got %d signatures for %d items", len(got.Signatures), len(c.items))
			}
		})
	}
}
