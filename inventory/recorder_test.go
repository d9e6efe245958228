package inventory_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// fixed is a decider that says the same of everything.
type fixed struct {
	decision policy.Decision
	err      error
	blobs    int
}

func (f *fixed) Decide(context.Context, policy.Request, oci.Image) (policy.Decision, error) {
	return f.decision, f.err
}

func (f *fixed) DecideBlob(context.Context, policy.Request, oci.Digest) (policy.Decision, error) {
	f.blobs++
	return f.decision, f.err
}

func TestOnlyPullsAreRemembered(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*policy.Request)
		want   int
	}{
		"a GET":                        {func(*policy.Request) {}, 1},
		"a HEAD":                       {func(r *policy.Request) { r.Verb = "HEAD" }, 1},
		"a check":                      {func(r *policy.Request) { r.Kind = policy.KindCheck }, 0},
		"a re-verification":            {func(r *policy.Request) { r.Kind = policy.KindReverification }, 0},
		"a refusal that rules overran": {func(r *policy.Request) { r.Superseded = true }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := inventory.NewMemory(inventory.MemoryConfig{})
			next := &fixed{decision: policy.Decision{Verdict: policy.Allow}}
			r := inventory.NewRecorder(next, m, nil)
			img := some(t, "a")
			request := pull(img)
			test.change(&request)
			d, err := r.Decide(t.Context(), request, img)
			if err != nil || d.Verdict != policy.Allow || m.Counts().Images != test.want {
				t.Errorf("got %v, %v, %d images", d.Verdict, err, m.Counts().Images)
			}
		})
	}
}

func TestBlobsPassThrough(t *testing.T) {
	m := inventory.NewMemory(inventory.MemoryConfig{})
	next := &fixed{decision: policy.Decision{Verdict: policy.Deny}}
	r := inventory.NewRecorder(next, m, nil)
	d, err := r.DecideBlob(t.Context(), policy.Request{}, digest("blob"))
	if err != nil || d.Verdict != policy.Deny || next.blobs != 1 || m.Counts().Images != 0 {
		t.Errorf("got %v, %v, %d images", d.Verdict, err, m.Counts().Images)
	}
}

func TestAFailedDecisionLeavesWhatIsKnown(t *testing.T) {
	m := inventory.NewMemory(inventory.MemoryConfig{})
	next := &fixed{decision: policy.Decision{Verdict: policy.Warn, Policies: []policy.Outcome{{Name: "p", Violated: true}}}}
	r := inventory.NewRecorder(next, m, nil)
	img := some(t, "a")
	remember(t, r, pull(img), img)
	next.decision, next.err = policy.Decision{Verdict: policy.Unavailable}, errors.New("bug")
	if d, err := r.Decide(t.Context(), pull(img), img); err == nil || d.Verdict != policy.Unavailable {
		t.Errorf("got %v, %v", d.Verdict, err)
	}
	got, _ := m.Image(api, img.Reference.Digest)
	if got.LastVerdict != policy.Warn || got.SeenCount != 2 || m.Counts().Violations["p"] != 1 {
		t.Errorf("got %+v, %+v", got, m.Counts())
	}
}

// A nil memory makes each access panic.
func TestAPanicInTheMemoryChangesNoDecision(t *testing.T) {
	next := &fixed{decision: policy.Decision{Verdict: policy.Deny, Message: "refused"}}
	var log logLines
	r := inventory.NewRecorder(next, nil, newLog(&log))
	img := some(t, "a")
	d, err := r.Decide(t.Context(), pull(img), img)
	if err != nil || d.Verdict != policy.Deny || d.Message != "refused" {
		t.Errorf("got %v, %v", d, err)
	}
	if text := log.taken(); !strings.Contains(text, "image not remembered") {
		t.Errorf("log: %s", text)
	}
}

func TestADecisionsResultsAreRememberedIndexesConsidered(t *testing.T) {
	in := newIntegration(t, "release-team", nil)
	b := newBench(t, inventory.ReverifyConfig{}, []*policy.Policy{newPolicy(t, "p", "**", in)}, in)
	defer b.stop()
	child := some(t, "child")
	parent := index(t, api, "", child.Reference.Digest)
	b.results.say(parent.Reference.Digest, "release-team", verified)
	b.pull(parent)
	if d := b.pull(child); d.Verdict != policy.Allow {
		t.Fatal(d.Message)
	}
	r := result(t, b.memory, child, "release-team")
	if r.Status != verify.Verified || r.InheritedFrom != parent.Reference.Digest || r.Signer != "release-2026" || r.LastVerifiedAt.IsZero() {
		t.Errorf("got %+v", r)
	}
}

func warm(t testing.TB) (*inventory.Recorder, policy.Request, oci.Image) {
	in := newIntegration(t, "release-team", nil)
	next := &fixed{decision: policy.Decision{
		Verdict: policy.Allow, Policies: []policy.Outcome{{Name: "prod-signed", Satisfied: true}},
		Results: []verify.Result{{Integration: in.Name(), Revision: in.Revision(), Status: verify.Verified}},
	}}
	m := inventory.NewMemory(inventory.MemoryConfig{})
	r := inventory.NewRecorder(next, m, nil)
	img := some(t, "a")
	img.Reference.Tag = "v1"
	remember(t, r, pull(img), img)
	return r, pull(img), img
}

func TestAWarmPullAllocatesNothing(t *testing.T) {
	r, request, img := warm(t)
	if n := testing.AllocsPerRun(1000, func() { remember(t, r, request, img) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecorderWarm(b *testing.B) {
	r, request, img := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Decide(b.Context(), request, img); err != nil {
			b.Fatal(err)
		}
	}
}
