package policy_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// tableRow is one situation of the decision table, by behavior and onUnavailable.
type tableRow struct {
	name   string
	result verify.Result
	// want is by column: Inform, then InformAndEnforce with onUnavailable Deny,
	// Allow and UseLastVerified.
	want [4]policy.Verdict
	// status is the HTTP status and reason the word, for the refused column.
	reason string
}

var tableColumns = [4]policy.Spec{
	{Behavior: "Inform"},
	{Behavior: "InformAndEnforce", OnUnavailable: "Deny"},
	{Behavior: "InformAndEnforce", OnUnavailable: "Allow"},
	{Behavior: "InformAndEnforce", OnUnavailable: "UseLastVerified"},
}

const (
	allow, warn       = policy.Allow, policy.Warn
	unavailable, deny = policy.Unavailable, policy.Deny
)

var table = []tableRow{
	{"verified by a trusted signer", verified, [4]policy.Verdict{allow, allow, allow, allow}, ""},
	{"no signature", unsigned, [4]policy.Verdict{warn, deny, deny, deny}, "UNSIGNED"},
	{"signatures, none trusted", otherKey, [4]policy.Verdict{warn, deny, deny, deny}, "KEY_MISMATCH"},
	{"could not find out, never verified before", timeout, [4]policy.Verdict{warn, unavailable, warn, unavailable}, "TIMEOUT"},
	{"could not find out, verified less than 24 h ago", lastVerified(24*time.Hour - time.Second), [4]policy.Verdict{warn, unavailable, warn, warn}, "TIMEOUT"},
	{"could not find out, verified 24 h ago", lastVerified(24 * time.Hour), [4]policy.Verdict{warn, unavailable, warn, unavailable}, "TIMEOUT"},
}

func TestDecisionTable(t *testing.T) {
	for _, row := range table {
		for column, spec := range tableColumns {
			t.Run(fmt.Sprintf("%s/%s %s", row.name, spec.Behavior, spec.OnUnavailable), func(t *testing.T) {
				w := newWorld(t)
				w.policy("prod-signed", spec)
				img := image(t, acmeAPI, "a")
				w.says(acmeAPI, img.Reference.Digest, "release-team", row.result)
				d := w.decide(img)
				check(t, d)
				if d.Verdict != row.want[column] {
					t.Errorf("got verdict %v, want %v", d.Verdict, row.want[column])
				}
				var reasons []string
				if row.reason != "" {
					reasons = []string{row.reason}
				}
				if diff := cmp.Diff(reasons, d.Reasons); diff != "" {
					t.Errorf("reasons (-want +got):\n%s", diff)
				}
				want := []policy.Outcome{{
					Name: "prod-signed", Behavior: policy.Inform, Verdict: row.want[column],
					Satisfied: row.reason == "", Violated: row.reason != "" && row.reason != "TIMEOUT",
				}}
				if column > 0 {
					want[0].Behavior = policy.InformAndEnforce
				}
				if diff := cmp.Diff(want, d.Policies); diff != "" {
					t.Errorf("policies (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestWorstVerdictOfAllPoliciesWins(t *testing.T) {
	w := newWorld(t)
	w.policy("a-informs", policy.Spec{Signers: []string{"qa-team"}, Behavior: "Inform"})
	w.policy("b-unknown", policy.Spec{Signers: []string{"spare"}})
	w.policy("c-satisfied", policy.Spec{})
	w.policy("d-refuses", policy.Spec{Signers: []string{"qa-team"}})
	w.policy("e-elsewhere", policy.Spec{Images: []string{"registry.acme.com/**"}, Signers: []string{"qa-team"}})
	img := image(t, acmeAPI, "a")
	w.says(acmeAPI, img.Reference.Digest, "release-team", verified)
	w.says(acmeAPI, img.Reference.Digest, "qa-team", otherKey)
	w.says(acmeAPI, img.Reference.Digest, "spare", timeout)
	var observed []string
	w.engine.Observe = func(name string, b policy.Behavior, v policy.Verdict) {
		observed = append(observed, fmt.Sprint(name, " ", b, " ", v))
	}
	d := w.decide(img)
	check(t, d)
	if d.Verdict != deny {
		t.Errorf("got %v, want Deny", d.Verdict)
	}
	want := []string{"a-informs Inform Warn", "b-unknown InformAndEnforce Unavailable", "c-satisfied InformAndEnforce Allow", "d-refuses InformAndEnforce Deny"}
	if diff := cmp.Diff(want, observed); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"KEY_MISMATCH", "TIMEOUT"}, d.Reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	var names []string
	for _, r := range d.Results {
		names = append(names, r.Integration)
	}
	if diff := cmp.Diff([]string{"qa-team", "release-team", "spare"}, names); diff != "" {
		t.Errorf("results are not in the order of names (-want +got):\n%s", diff)
	}
}

func TestOnlyNeededIntegrationsAreWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.policy("a", policy.Spec{Signers: []string{"spare", "release-team"}})
	w.policy("b", policy.Spec{Signers: []string{"release-team"}})
	w.decide(image(t, acmeAPI, "a"))
	if len(w.results.queries) != 1 {
		t.Fatalf("got %d queries, want 1", len(w.results.queries))
	}
	names := func(all []*verify.Integration) string {
		var s []string
		for _, in := range all {
			s = append(s, in.Name())
		}
		return strings.Join(s, " ")
	}
	q := w.results.queries[0]
	if got, want := names(q.Needed), "release-team spare"; got != want {
		t.Errorf("needed: got %q, want %q", got, want)
	}
	if got, want := names(q.Others), "qa-team"; got != want {
		t.Errorf("others: got %q, want %q", got, want)
	}
}

func TestWhenNoPolicyMatches(t *testing.T) {
	for name, test := range map[string]struct {
		when    policy.Verdict
		want    policy.Verdict
		reasons []string
	}{
		"the setting allows":                  {allow, allow, nil},
		"the setting denies":                  {deny, deny, []string{"NO_POLICY"}},
		"the setting was never made":          {0, deny, []string{"NO_POLICY"}},
		"the setting is no such verdict":      {warn, deny, []string{"NO_POLICY"}},
		"the setting is out of the set":       {99, deny, []string{"NO_POLICY"}},
		"could not find out is no permission": {unavailable, deny, []string{"NO_POLICY"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("elsewhere", policy.Spec{Images: []string{"registry.acme.com/**"}})
			w.policy("off", policy.Spec{Disabled: true})
			w.rules.WhenNoPolicy = test.when
			d := w.decide(image(t, acmeAPI, "a"))
			check(t, d)
			if d.Verdict != test.want {
				t.Errorf("got %v, want %v", d.Verdict, test.want)
			}
			if diff := cmp.Diff(test.reasons, d.Reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if len(w.results.queries) != 0 {
				t.Errorf("verification was asked although no policy matches")
			}
		})
	}
}

func TestSignatureArtifactsAreExemptByContent(t *testing.T) {
	signature := manifest(t, acmeAPI, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte("c"))),
		"layers": []any{descriptor(oci.MediaTypeSimpleSigning, oci.SHA256([]byte("payload")))},
	})
	disguised := image(t, acmeAPI, "evil")
	disguised.Reference.Tag = "sha256-" + strings.Repeat("0", 64) + ".sig"

	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	d := w.decide(signature)
	check(t, d)
	if d.Verdict != allow || !d.Exempt || len(d.Policies) != 0 {
		t.Errorf("signature: got %v, exempt %v, policies %v", d.Verdict, d.Exempt, d.Policies)
	}
	listing, err := w.lineage.Listing(t.Context(), acmeAPI, policy.BlobOf, oci.SHA256([]byte("payload")))
	if err != nil || len(listing) != 0 {
		t.Errorf("a signature left lineage: %v, %v", listing, err)
	}
	if d := w.decide(disguised); d.Verdict != deny || d.Exempt {
		t.Errorf("image under a signature's tag: got %v, exempt %v, want Deny", d.Verdict, d.Exempt)
	}
}

func TestAnArtifactThatCannotBeReadIsNotRefusedForGood(t *testing.T) {
	signature := manifest(t, acmeAPI, map[string]any{
		"schemaVersion": 2, "mediaType": oci.MediaTypeImageManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", oci.SHA256([]byte("c"))),
		"layers": []any{descriptor(oci.MediaTypeSimpleSigning, oci.SHA256([]byte("out of reach")))},
	})
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	d := w.decide(signature)
	if d.Verdict != unavailable || d.Exempt || !slices.Equal(d.Reasons, []string{"FETCH_FAILED"}) {
		t.Errorf("got %v, exempt %v, reasons %v; want Unavailable, FETCH_FAILED", d.Verdict, d.Exempt, d.Reasons)
	}
}

func TestLineageIsRecordedOnHeadAndGetAlsoOfRefusedImages(t *testing.T) {
	for _, verb := range []string{"GET", "HEAD"} {
		w := newWorld(t)
		w.policy("prod-signed", policy.Spec{})
		child := image(t, acmeAPI, "a")
		parent := index(t, acmeAPI, child.Reference.Digest)
		request := pull(parent.Reference)
		request.Verb = verb
		if d, err := w.engine.Decide(t.Context(), request, parent); err != nil || d.Verdict != deny {
			t.Fatalf("%s: got %v, %v", verb, d.Verdict, err)
		}
		got, err := w.lineage.Listing(t.Context(), acmeAPI, policy.ChildOf, child.Reference.Digest)
		if want := []oci.Digest{parent.Reference.Digest}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", verb, got, err, want)
		}
	}
}

func TestLineageThatCannotBeRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		behavior string
		index    bool
		result   verify.Result
		want     policy.Verdict
	}{
		"an allowed index under enforce is unavailable, or its children would be denied": {"InformAndEnforce", true, verified, unavailable},
		"a denied index stays denied":           {"InformAndEnforce", true, unsigned, deny},
		"an index that is only watched goes on": {"Inform", true, verified, allow},
		"an image goes on":                      {"InformAndEnforce", false, verified, allow},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{Behavior: test.behavior})
			w.engine.Lineage = brokenLineage{Lineage: w.lineage, record: true}
			img := image(t, acmeAPI, "a")
			if test.index {
				img = index(t, acmeAPI, img.Reference.Digest)
			}
			w.says(acmeAPI, img.Reference.Digest, "release-team", test.result)
			d := w.decide(img)
			check(t, d)
			if d.Verdict != test.want {
				t.Errorf("got %v, want %v", d.Verdict, test.want)
			}
			if got := slices.Contains(d.Reasons, policy.ReasonLineageUnavailable); got != (test.want == unavailable) {
				t.Errorf("reasons: %v", d.Reasons)
			}
		})
	}
}

func TestFailuresAreNeverServed(t *testing.T) {
	img := image(t, acmeAPI, "a")
	answer := func(results []verify.Result, err error) func(context.Context, verify.Query) ([]verify.Result, error) {
		return func(context.Context, verify.Query) ([]verify.Result, error) { return results, err }
	}
	named := verified
	named.Integration = "qa-team"
	for name, test := range map[string]struct {
		answer func(context.Context, verify.Query) ([]verify.Result, error)
		image  oci.Image
		rules  func() policy.Rules
		want   string
	}{
		"verification panics":                         {func(context.Context, verify.Query) ([]verify.Result, error) { panic("boom") }, img, nil, "panic: boom"},
		"verification fails":                          {answer(nil, errors.New("bug")), img, nil, "bug"},
		"verification answers nothing":                {answer(nil, nil), img, nil, "something else"},
		"verification answers for another signer":     {answer([]verify.Result{named}, nil), img, nil, "something else"},
		"verification answers twice":                  {answer([]verify.Result{verified, verified}, nil), img, nil, "something else"},
		"the image is the zero value":                 {answer(nil, nil), oci.Image{}, nil, "no digest"},
		"the image was not parsed":                    {answer(nil, nil), oci.Image{Reference: img.Reference, Bytes: img.Bytes}, nil, "no manifest"},
		"the rules panic":                             {answer(nil, nil), img, func() policy.Rules { panic("no rules") }, "no rules"},
		"a policy is missing behind its place":        {answer(nil, nil), img, func() policy.Rules { return policy.Rules{Policies: []*policy.Policy{nil}, WhenNoPolicy: allow} }, "panic"},
		"the client leaves while results are awaited": {answer(nil, context.Canceled), img, nil, "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{})
			w.results.answer = test.answer
			if test.rules != nil {
				w.engine.Rules = test.rules
			}
			d, err := w.engine.Decide(t.Context(), pull(test.image.Reference), test.image)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			if d.Verdict.Served() || len(d.Policies) > 0 {
				t.Errorf("got decision %+v beside an error", d)
			}
		})
	}
}

// The refusal that follows too many changes is a decision of its own: never
// served, whatever would have become of the image, and nobody is asked.
func TestASupersededQuestionIsUnavailable(t *testing.T) {
	w := newWorld(t)
	api := image(t, acmeAPI, "api")
	q := pull(api.Reference)
	q.Superseded = true
	want := policy.Decision{
		ID: testID, Time: testNow, Verdict: policy.Unavailable, Reasons: []string{policy.ReasonSuperseded},
		Revision: "r1", Image: api.Reference, MediaType: api.MediaType, Cached: true, RetryAfter: policy.RetryAfter,
		Message: oci.Reference{Repository: acmeAPI, Digest: api.Reference.Digest}.String() + ": the configuration changed while this was decided (SUPERSEDED); try again (decision " + testID + ")",
	}
	got, err := w.engine.Decide(t.Context(), q, api)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	blob, err := w.engine.DecideBlob(t.Context(), q, api.Reference.Digest)
	if err != nil || blob.Verdict != policy.Unavailable || blob.Message != want.Message {
		t.Errorf("blob: got %v %q, %v", blob.Verdict, blob.Message, err)
	}
}

func TestZeroPolicyRefusesEverything(t *testing.T) {
	w := newWorld(t)
	w.rules.Policies = []*policy.Policy{{}}
	if d := w.decide(image(t, acmeAPI, "a")); d.Verdict != deny {
		t.Errorf("got %v, want Deny", d.Verdict)
	}
}

func TestZeroDecisionIsNotServed(t *testing.T) {
	if (policy.Decision{}).Verdict.Served() {
		t.Error("the zero decision is served")
	}
}

func TestAStatusThatIsNoneCountsAsUnavailable(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	img := image(t, acmeAPI, "a")
	w.says(acmeAPI, img.Reference.Digest, "release-team", verify.Result{})
	if d := w.decide(img); d.Verdict != unavailable {
		t.Errorf("got %v, want Unavailable", d.Verdict)
	}
}

func TestDecisionSaysWhatItIsAbout(t *testing.T) {
	w := newWorld(t)
	w.policy("prod-signed", policy.Spec{})
	calls := 0
	w.engine.Now = func() time.Time { calls++; return testNow.Add(time.Duration(calls) * time.Millisecond) }
	img := image(t, acmeAPI, "a")
	hit := verified
	hit.Cached = true
	w.says(acmeAPI, img.Reference.Digest, "release-team", hit)
	d := w.decide(img)
	if !d.Time.Equal(testNow.Add(time.Millisecond)) || d.Duration <= 0 || !d.Cached || d.ID != testID ||
		d.Revision != "r1" || d.Image != img.Reference || d.MediaType != oci.MediaTypeImageManifest {
		t.Errorf("got %+v", d)
	}
	w.says(acmeAPI, img.Reference.Digest, "release-team", verified)
	if d := w.decide(img); d.Cached {
		t.Error("Cached although a result was judged anew")
	}
}

// BenchmarkDecide is a warm decision: results at hand, lineage known.
func BenchmarkDecide(b *testing.B) {
	w := newWorld(b)
	w.policy("elsewhere", policy.Spec{Images: []string{"registry.acme.com/**"}})
	w.policy("prod-signed", policy.Spec{Images: []string{"docker.io/acme/**"}, Exclude: []string{"docker.io/acme/sandbox-*"}})
	w.engine.NewID, w.engine.Now = nil, nil
	img := image(b, acmeAPI, "a")
	results := []verify.Result{verified}
	results[0].Integration, results[0].Cached = "release-team", true
	w.results.answer = func(context.Context, verify.Query) ([]verify.Result, error) { return results, nil }
	request := pull(img.Reference)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := w.engine.Decide(b.Context(), request, img); err != nil || d.Verdict != allow {
			b.Fatal(d.Verdict, err)
		}
	}
}
