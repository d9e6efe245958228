package policy_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

func (w *world) decideAgain(image oci.Reference, maxAge time.Duration) (policy.Decision, []verify.Result) {
	w.t.Helper()
	request := policy.Request{Kind: policy.KindReverification, Reference: image}
	d, all, err := w.engine.DecideAgain(w.t.Context(), request, image, oci.MediaTypeImageManifest, maxAge, nil)
	if err != nil {
		w.t.Fatalf("DecideAgain: %v", err)
	}
	return d, all
}

func statuses(results []verify.Result) map[string]string {
	all := map[string]string{}
	for _, r := range results {
		all[r.Integration] = r.Status.String()
	}
	return all
}

func TestDecideAgainFollowsTheDecisionTable(t *testing.T) {
	for _, row := range table {
		for _, spec := range tableColumns {
			t.Run(row.name+"/"+spec.Behavior+" "+spec.OnUnavailable, func(t *testing.T) {
				w := newWorld(t)
				w.policy("prod-signed", spec)
				img := image(t, acmeAPI, "a")
				w.says(acmeAPI, img.Reference.Digest, "release-team", row.result)
				again, _ := w.decideAgain(img.Reference, time.Second)
				check(t, again)
				first := w.decide(img)
				again.MediaType, first.MediaType = "", ""
				if diff := cmp.Diff(first, again, cmpopts.EquateComparable(oci.Digest{})); diff != "" {
					t.Errorf("differs from what a pull is told (-pull +again):\n%s", diff)
				}
			})
		}
	}
}

func TestDecideAgainAsksForEveryIntegrationWithTheGreatestAge(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	img := image(t, acmeAPI, "a")
	w.says(acmeAPI, img.Reference.Digest, "release-team", verified)
	w.says(acmeAPI, img.Reference.Digest, "spare", otherKey)
	d, all := w.decideAgain(img.Reference, 7*time.Minute)
	want := map[string]string{"qa-team": "Unsigned", "release-team": "Verified", "spare": "Untrusted"}
	if diff := cmp.Diff(want, statuses(all)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"release-team": "Verified"}, statuses(d.Results)); diff != "" {
		t.Errorf("the decision's results are of its policies' signers (-want +got):\n%s", diff)
	}
	if q := w.results.queries[0]; q.MaxAge != 7*time.Minute || len(q.Needed) != 3 || q.Others != nil {
		t.Errorf("asked with age %v for %d, others %v", q.MaxAge, len(q.Needed), q.Others)
	}
}

func TestDecideAgainInheritsWithTheLifetimesOfTheIndex(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	child := image(t, acmeAPI, "a")
	parent := index(t, acmeAPI, child.Reference.Digest)
	w.says(acmeAPI, parent.Reference.Digest, "release-team", verified)
	w.decide(parent)
	w.results.queries = nil
	d, all := w.decideAgain(child.Reference, time.Second)
	if d.Verdict != allow || statuses(all)["release-team"] != "Verified" || d.Results[0].InheritedFrom != parent.Reference.Digest {
		t.Errorf("got %v, %v from %v", d.Verdict, statuses(all), d.Results[0].InheritedFrom)
	}
	if q := w.results.queries[1]; q.Digest != parent.Reference.Digest || q.MaxAge != 0 {
		t.Errorf("the index was asked with age %v", q.MaxAge)
	}
}

func TestDecideAgainWithoutAPolicyStillHasAllResults(t *testing.T) {
	w := newWorld(t)
	img := image(t, acmeAPI, "a")
	w.says(acmeAPI, img.Reference.Digest, "spare", verified)
	d, all := w.decideAgain(img.Reference, time.Second)
	if d.Verdict != allow || len(d.Results) != 0 || statuses(all)["spare"] != "Verified" || len(all) != 3 {
		t.Errorf("got %v with %d results, all %v", d.Verdict, len(d.Results), statuses(all))
	}
}

func TestDecideAgainObservesNothingAndAsksNoArtifact(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	w.engine.Artifacts = nil
	w.engine.Observe = func(string, policy.Behavior, policy.Verdict) { t.Error("observed") }
	w.engine.Lineage = brokenLineage{Lineage: w.lineage, record: true}
	img := image(t, acmeAPI, "a")
	w.says(acmeAPI, img.Reference.Digest, "release-team", verified)
	if d, _ := w.decideAgain(img.Reference, 0); d.Verdict != allow {
		t.Errorf("got %v", d.Verdict)
	}
}

func TestDecideAgainFailuresAreNeverServed(t *testing.T) {
	img := image(t, acmeAPI, "a").Reference
	for name, test := range map[string]struct {
		answer func(context.Context, verify.Query) ([]verify.Result, error)
		image  oci.Reference
	}{
		"verification panics":       {func(context.Context, verify.Query) ([]verify.Result, error) { panic("boom") }, img},
		"verification fails":        {func(context.Context, verify.Query) ([]verify.Result, error) { return nil, errors.New("bug") }, img},
		"verification mixes up":     {func(context.Context, verify.Query) ([]verify.Result, error) { return make([]verify.Result, 3), nil }, img},
		"the image has no digest":   {nil, oci.Reference{Repository: acmeAPI}},
		"the image is a zero value": {nil, oci.Reference{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			w.results.answer = test.answer
			d, all, err := w.engine.DecideAgain(t.Context(), policy.Request{}, test.image, "", 0, nil)
			if err == nil || all != nil || d.Verdict != unavailable || len(d.Policies) > 0 {
				t.Errorf("got %v, results %v, error %v", d.Verdict, all, err)
			}
		})
	}
}

func TestDecideFromAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	w.results.answer = func(context.Context, verify.Query) ([]verify.Result, error) { panic("asked") }
	img := image(t, acmeAPI, "a").Reference
	good := verified
	good.Integration, good.Revision = "release-team", w.integrations["release-team"].Revision()
	old := good
	old.Revision = "of the key before"
	for name, test := range map[string]struct {
		results []verify.Result
		want    policy.Verdict
	}{
		"a result at hand counts":                            {[]verify.Result{good}, allow},
		"one of another revision of its integration is none": {[]verify.Result{old}, unavailable},
		"one that is missing is unavailable":                 {nil, unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := w.engine.DecideFrom(policy.Request{Reference: img}, img, "", test.results)
			if err != nil || d.Verdict != test.want {
				t.Errorf("got %v, %v, want %v", d.Verdict, err, test.want)
			}
			check(t, d)
		})
	}
	if d, err := w.engine.DecideFrom(policy.Request{}, oci.Reference{}, "", nil); err == nil || d.Verdict != unavailable {
		t.Errorf("no digest: got %v, %v", d.Verdict, err)
	}
}

func BenchmarkDecideAgain(b *testing.B) {
	w := newWorld(b)
	w.policy("prod-signed", policy.Spec{})
	img := image(b, acmeAPI, "a").Reference
	w.says(acmeAPI, img.Digest, "release-team", verified)
	request := policy.Request{Kind: policy.KindReverification, Reference: img}
	w.lineage = brokenLineage{}
	b.ReportAllocs()
	for b.Loop() {
		w.results.queries = w.results.queries[:0]
		if d, _, err := w.engine.DecideAgain(b.Context(), request, img, "", time.Second, nil); err != nil || d.Verdict != allow {
			b.Fatal(d, err)
		}
	}
}

func TestDecideAgainAsksIndexesThatTheLineageForgot(t *testing.T) {
	for name, test := range map[string]struct {
		says verify.Result
		want policy.Verdict
	}{
		"it is verified":              {verified, allow},
		"it cannot be asked":          {timeout, unavailable},
		"its signature was withdrawn": {unsigned, deny},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			child := image(t, acmeAPI, "a")
			parent := index(t, acmeAPI, child.Reference.Digest)
			w.says(acmeAPI, parent.Reference.Digest, "release-team", test.says)
			request := policy.Request{Kind: policy.KindReverification, Reference: child.Reference}
			above := []oci.Digest{{}, child.Reference.Digest, parent.Reference.Digest, parent.Reference.Digest}
			for i := range 2 * policy.MaxParents {
				above = append(above, oci.SHA256(fmt.Append(nil, i)))
			}
			d, _, err := w.engine.DecideAgain(t.Context(), request, child.Reference, child.MediaType, 0, above)
			if err != nil || d.Verdict != test.want {
				t.Errorf("got %v, %v, want %v", d.Verdict, err, test.want)
			}
			if got, limit := len(w.results.queries), 1+policy.MaxParents; got > limit {
				t.Errorf("asked %d times, limit %d", got, limit)
			}
		})
	}
}

// An index that is named may be as far above as counts already.
func TestDecideAgainAsksNothingAboveAnIndexThatIsNamed(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	child := image(t, acmeAPI, "a")
	named := index(t, acmeAPI, oci.SHA256([]byte("another")))
	over := index(t, acmeAPI, named.Reference.Digest)
	if err := w.engine.Lineage.Record(t.Context(), over); err != nil {
		t.Fatal(err)
	}
	w.says(acmeAPI, over.Reference.Digest, "release-team", verified)
	request := policy.Request{Kind: policy.KindReverification, Reference: child.Reference}
	d, _, err := w.engine.DecideAgain(t.Context(), request, child.Reference, child.MediaType, 0, []oci.Digest{named.Reference.Digest})
	if err != nil || d.Verdict != deny {
		t.Errorf("got %v, %v, want %v", d.Verdict, err, deny)
	}
}
