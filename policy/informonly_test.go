package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

func openedWorld(t *testing.T) *world {
	w := newWorld(t)
	w.rules.InformOnly = true
	return w
}

func TestAnOpenedGateTurnsEachRefusalIntoAWarning(t *testing.T) {
	for _, row := range table {
		for column, spec := range tableColumns {
			t.Run(fmt.Sprintf("%s/%s %s", row.name, spec.Behavior, spec.OnUnavailable), func(t *testing.T) {
				w := openedWorld(t)
				w.policy("prod-signed", spec)
				img := image(t, acmeAPI, "a")
				w.says(acmeAPI, img.Reference.Digest, "release-team", row.result)
				d := w.decide(img)
				check(t, d)
				refused := !row.want[column].Served()
				want := row.want[column]
				if refused {
					want = warn
				}
				if d.Verdict != want || d.Policies[0].Verdict != want || !d.InformOnly || d.Enforced() {
					t.Errorf("got %v, policy %v, opened %v, enforced %v; want %v", d.Verdict, d.Policies[0].Verdict, d.InformOnly, d.Enforced(), want)
				}
				if got := slices.Contains(d.Reasons, policy.ReasonInformOnly); got != refused {
					t.Errorf("reasons %v, refused %v", d.Reasons, refused)
				}
				if row.reason != "" && !slices.Contains(d.Reasons, row.reason) {
					t.Errorf("reasons %v hide %s", d.Reasons, row.reason)
				}
				if got := strings.Contains(d.Message, "served because of INFORM_ONLY"); got != refused {
					t.Errorf("message says %v of the gate: %s", got, d.Message)
				}
			})
		}
	}
}

func TestAnOpenedGateServesAnImageWithoutAPolicy(t *testing.T) {
	w := openedWorld(t)
	w.rules.WhenNoPolicy = policy.Deny
	d := w.decide(image(t, acmeAPI, "a"))
	check(t, d)
	if d.Verdict != warn || !slices.Equal(d.Reasons, []string{policy.ReasonInformOnly, policy.ReasonNoPolicy}) {
		t.Errorf("got %v, %v", d.Verdict, d.Reasons)
	}
	if want := "would be refused, no policy matches it; served because of INFORM_ONLY"; !strings.Contains(d.Message, want) {
		t.Errorf("message: %s", d.Message)
	}
}

func TestAnOpenedGateServesEachBlob(t *testing.T) {
	for name, byPolicy := range map[string]bool{"of a denied manifest": true, "of a repository without a policy": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rules.WhenNoPolicy = policy.Deny
			if byPolicy {
				w.policy("prod-signed", policy.Spec{})
			}
			img := image(t, acmeAPI, "a")
			w.decide(img)
			layer := img.Manifest.Layers[0].Digest
			if d := w.decideBlob(acmeAPI, layer); d.Verdict != deny {
				t.Fatalf("closed: got %v, want Deny", d.Verdict)
			}
			w.rules.InformOnly = true
			if d := w.decideBlob(acmeAPI, layer); d.Verdict != allow || !d.InformOnly {
				t.Errorf("open: got %v, opened %v", d.Verdict, d.InformOnly)
			}
		})
	}
}

func TestAnOpenedGateServesWhenLineageFails(t *testing.T) {
	child := image(t, acmeAPI, "a")
	for name, img := range map[string]oci.Image{"of an index": index(t, acmeAPI, child.Reference.Digest), "of a child": child} {
		t.Run(name, func(t *testing.T) {
			w := openedWorld(t)
			w.policy("prod-signed", policy.Spec{})
			w.engine.Lineage = brokenLineage{Lineage: w.lineage, record: true, listing: true}
			d := w.decide(img)
			check(t, d)
			if d.Verdict != warn || !slices.Contains(d.Reasons, policy.ReasonLineageUnavailable) {
				t.Errorf("got %v, %v", d.Verdict, d.Reasons)
			}
		})
	}
	w := openedWorld(t)
	w.policy("prod-signed", policy.Spec{})
	w.engine.Lineage = brokenLineage{Lineage: w.lineage, listing: true}
	if d := w.decideBlob(acmeAPI, oci.SHA256([]byte("x"))); d.Verdict != allow {
		t.Errorf("blob: got %v", d.Verdict)
	}
}

func TestAnOpenedGateStillRefusesWhatWasNotDecided(t *testing.T) {
	w := openedWorld(t)
	w.policy("prod-signed", policy.Spec{})
	img := image(t, acmeAPI, "a")
	request := pull(img.Reference)
	request.Superseded = true
	d, err := w.engine.Decide(t.Context(), request, img)
	if err != nil || d.Verdict != unavailable {
		t.Errorf("superseded: got %v, %v", d.Verdict, err)
	}
	if d, err = w.engine.DecideBlob(t.Context(), request, img.Reference.Digest); err != nil || d.Verdict != unavailable {
		t.Errorf("superseded blob: got %v, %v", d.Verdict, err)
	}
	w.engine.Results = nil
	if d, err = w.engine.Decide(t.Context(), pull(img.Reference), img); err == nil || d.Verdict != unavailable {
		t.Errorf("a panic: got %v, %v", d.Verdict, err)
	}
}
