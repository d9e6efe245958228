package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

var otherRepository = oci.Repository{Registry: "docker.io", Path: "acme/other"}

// record lets the lineage know of documents without judging them.
func (w *world) record(images ...oci.Image) {
	w.t.Helper()
	for _, img := range images {
		if err := w.lineage.Record(w.t.Context(), img); err != nil {
			w.t.Fatal(err)
		}
	}
}

// chain returns n indexes above child, each of which lists the one below it.
func chain(t testing.TB, child oci.Image, n int) []oci.Image {
	var above []oci.Image
	for range n {
		child = index(t, child.Reference.Repository, child.Reference.Digest)
		above = append(above, child)
	}
	return above
}

func TestChildInheritsFromItsIndex(t *testing.T) {
	for _, test := range []struct {
		name         string
		child, index verify.Result
		// elsewhere puts the index into another repository.
		elsewhere bool
		want      policy.Verdict
		inherited bool
	}{
		{"neither is signed", unsigned, unsigned, false, deny, false},
		{"the index is signed", unsigned, verified, false, allow, true},
		{"the child is signed, the index is not", verified, unsigned, false, allow, false},
		{"both are signed", verified, verified, false, allow, false},
		{"the child is signed by another key, the index by the right one", otherKey, verified, false, allow, true},
		{"the index is signed by another key", unsigned, otherKey, false, deny, false},
		{"the index is signed in another repository", unsigned, verified, true, deny, false},
		{"the child could not be verified, the index is signed", timeout, verified, false, allow, true},
		{"the index could not be verified", unsigned, timeout, false, unavailable, false},
		{"the index could not be verified, the child has a wrong signature", otherKey, timeout, false, unavailable, false},
		{"the index could not be verified, the child is signed", verified, timeout, false, allow, false},
		{"the child could not be verified, the index is not signed", timeout, unsigned, false, unavailable, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			child := image(t, acmeAPI, "a")
			repository := acmeAPI
			if test.elsewhere {
				repository = otherRepository
			}
			parent := index(t, repository, child.Reference.Digest)
			w.record(parent)
			w.says(acmeAPI, child.Reference.Digest, "release-team", test.child)
			w.says(repository, parent.Reference.Digest, "release-team", test.index)
			d := w.decide(child)
			check(t, d)
			if d.Verdict != test.want {
				t.Errorf("got %v, want %v: %s", d.Verdict, test.want, d.Message)
			}
			var from oci.Digest
			if test.inherited {
				from = parent.Reference.Digest
			}
			if got := d.Results[0].InheritedFrom; got != from {
				t.Errorf("inherited from %q, want %q", got, from)
			}
		})
	}
}

func TestInheritanceReachesFourLevels(t *testing.T) {
	for signed := 1; signed <= 6; signed++ {
		t.Run(fmt.Sprintf("only the index %d levels above is signed", signed), func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			child := image(t, acmeAPI, "a")
			above := chain(t, child, 6)
			w.record(above...)
			w.says(acmeAPI, above[signed-1].Reference.Digest, "release-team", verified)
			want := deny
			if signed <= policy.MaxAncestry {
				want = allow
			}
			if d := w.decide(child); d.Verdict != want {
				t.Errorf("child: got %v, want %v", d.Verdict, want)
			}
			// An index inherits like any other manifest.
			want = deny
			if signed <= policy.MaxAncestry+1 {
				want = allow
			}
			if d := w.decide(above[0]); d.Verdict != want {
				t.Errorf("index: got %v, want %v", d.Verdict, want)
			}
		})
	}
}

func TestSignedChildDoesNotBlessItsIndex(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	child := image(t, acmeAPI, "a")
	parent := index(t, acmeAPI, child.Reference.Digest)
	w.record(child, parent)
	w.says(acmeAPI, child.Reference.Digest, "release-team", verified)
	if d := w.decide(parent); d.Verdict != deny {
		t.Errorf("got %v, want Deny", d.Verdict)
	}
}

func TestALayerThatListsAManifestIsNoIndex(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	evil := image(t, acmeAPI, "evil")
	carrier := manifest(t, acmeAPI, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", evil.Reference.Digest),
		"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar+gzip", evil.Reference.Digest)},
	})
	w.record(carrier)
	w.says(acmeAPI, carrier.Reference.Digest, "release-team", verified)
	if d := w.decide(evil); d.Verdict != deny {
		t.Errorf("got %v, want Deny: %s", d.Verdict, d.Message)
	}
}

func TestEachIntegrationInheritsForItself(t *testing.T) {
	w := newWorld(t)
	w.policy("both", policy.Spec{Signers: []string{"release-team", "qa-team"}, Require: "All"})
	child := image(t, acmeAPI, "a")
	parent := index(t, acmeAPI, child.Reference.Digest)
	w.record(parent)
	w.says(acmeAPI, child.Reference.Digest, "qa-team", verified)
	w.says(acmeAPI, parent.Reference.Digest, "release-team", verified)
	d := w.decide(child)
	if d.Verdict != allow {
		t.Fatalf("got %v, want Allow: %s", d.Verdict, d.Message)
	}
	if !d.Results[0].InheritedFrom.IsZero() || d.Results[1].InheritedFrom != parent.Reference.Digest {
		t.Errorf("qa-team from %q, release-team from %q", d.Results[0].InheritedFrom, d.Results[1].InheritedFrom)
	}
	if q := w.results.queries[1]; len(q.Needed) != 1 || q.Needed[0].Name() != "release-team" {
		t.Errorf("the index was asked about integrations that are settled")
	}
}

func TestInheritanceDoesNotChangeSharedResults(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	child := image(t, acmeAPI, "a")
	parent := index(t, acmeAPI, child.Reference.Digest)
	w.record(parent)
	own, above := unsigned, verified
	own.Integration, above.Integration = "release-team", "release-team"
	shared := map[oci.Digest][]verify.Result{child.Reference.Digest: {own}, parent.Reference.Digest: {above}}
	w.results.answer = func(_ context.Context, q verify.Query) ([]verify.Result, error) { return shared[q.Digest], nil }
	if d := w.decide(child); d.Verdict != allow {
		t.Fatalf("got %v, want Allow", d.Verdict)
	}
	if shared[child.Reference.Digest][0].Status != verify.Unsigned || !shared[parent.Reference.Digest][0].InheritedFrom.IsZero() {
		t.Error("results that others share were changed")
	}
}

func TestLineageThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		child verify.Result
		want  policy.Verdict
	}{
		"a child that would be denied is unavailable":      {unsigned, unavailable},
		"a wrongly signed child is unavailable":            {otherKey, unavailable},
		"a child that is signed itself is allowed":         {verified, allow},
		"a child that could not be verified stays unknown": {timeout, unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			w.engine.Lineage = brokenLineage{Lineage: w.lineage, listing: true}
			child := image(t, acmeAPI, "a")
			w.says(acmeAPI, child.Reference.Digest, "release-team", test.child)
			d := w.decide(child)
			check(t, d)
			if d.Verdict != test.want {
				t.Errorf("got %v, want %v", d.Verdict, test.want)
			}
			if test.want == unavailable && test.child.Status != verify.Unavailable && !slices.Contains(d.Reasons, policy.ReasonLineageUnavailable) {
				t.Errorf("reasons are %v", d.Reasons)
			}
		})
	}
}

func TestUseLastVerifiedCountsTheIndex(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{OnUnavailable: "UseLastVerified"})
	child := image(t, acmeAPI, "a")
	parent := index(t, acmeAPI, child.Reference.Digest)
	w.record(parent)
	w.says(acmeAPI, parent.Reference.Digest, "release-team", lastVerified(time.Hour))
	if d := w.decide(child); d.Verdict != warn {
		t.Errorf("got %v, want Warn: %s", d.Verdict, d.Message)
	}
}

// loops is a lineage whose every document lists every other: hashes make that
// impossible, a broken store does not.
type loops struct{ digests []oci.Digest }

func (l loops) Record(context.Context, oci.Image) error { return nil }

func (l loops) Listing(context.Context, oci.Repository, policy.Relation, oci.Digest) ([]oci.Digest, error) {
	return l.digests, nil
}

func TestInheritanceIsBounded(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	child := image(t, acmeAPI, "a")
	many := loops{digests: []oci.Digest{child.Reference.Digest, {}}}
	for i := range 1000 {
		many.digests = append(many.digests, oci.SHA256(fmt.Append(nil, i)))
	}
	w.engine.Lineage = many
	if d := w.decide(child); d.Verdict != deny {
		t.Errorf("got %v, want Deny", d.Verdict)
	}
	if got, limit := len(w.results.queries), 1+policy.MaxAncestry*policy.MaxParents; got > limit {
		t.Errorf("asked %d times, limit %d", got, limit)
	}
	seen := map[oci.Digest]bool{}
	for _, q := range w.results.queries {
		if seen[q.Digest] {
			t.Fatalf("%s was asked twice", q.Digest)
		}
		seen[q.Digest] = true
	}
}

func TestAncestorThatPanicsIsNotServed(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	child := image(t, acmeAPI, "a")
	w.record(index(t, acmeAPI, child.Reference.Digest))
	own := unsigned
	own.Integration = "release-team"
	w.results.answer = func(_ context.Context, q verify.Query) ([]verify.Result, error) {
		if q.Digest != child.Reference.Digest {
			panic("boom")
		}
		return []verify.Result{own}, nil
	}
	d, err := w.engine.Decide(t.Context(), pull(child.Reference), child)
	if err == nil || !strings.Contains(err.Error(), "boom") || d.Verdict.Served() {
		t.Errorf("got %v, %v", d.Verdict, err)
	}
}

func TestClientThatLeavesWhileLineageIsRead(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	w.engine.Lineage = brokenLineage{Lineage: w.lineage, listing: true}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	child := image(t, acmeAPI, "a")
	d, err := w.engine.Decide(ctx, pull(child.Reference), child)
	if err == nil || d.Verdict.Served() {
		t.Errorf("got %v, %v, want the context's error", d.Verdict, err)
	}
}
