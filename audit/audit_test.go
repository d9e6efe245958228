package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/audit"
	"vouchsafe/oci"
	"vouchsafe/policy"
)

func TestRecordIsWrittenBeforeTheAnswer(t *testing.T) {
	for _, v := range []policy.Verdict{policy.Allow, policy.Warn, policy.Deny, policy.Unavailable} {
		sink := &memory{}
		want := decision(v, policy.InformAndEnforce)
		got, err := decide(t, decider{decision: want}, sink, audit.Config{})
		if err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(oci.Digest{})); diff != "" {
			t.Errorf("%v: the decision changed (-want +got):\n%s", v, diff)
		}
		if n := strings.Count(sink.text(), "\n"); n != 1 || !strings.Contains(sink.text(), testID) {
			t.Errorf("%v: got %d records: %s", v, n, sink.text())
		}
	}
}

func TestSinkThatFailsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{fail: 3}
		failed := 0
		start := time.Now()
		d, err := decide(t, decider{decision: decision(policy.Allow, policy.InformAndEnforce)}, sink, audit.Config{Failed: func() { failed++ }})
		if err != nil || d.Verdict != policy.Allow || failed != 0 || strings.Count(sink.text(), "\n") != 1 {
			t.Errorf("got %v, %v, %d failures, records %q", d.Verdict, err, failed, sink.text())
		}
		if took := time.Since(start); took == 0 || took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestSinkThatFails(t *testing.T) {
	noPolicy := decision(policy.Deny, policy.InformAndEnforce)
	noPolicy.Policies = nil
	unmatched := decision(policy.Allow, policy.Inform)
	unmatched.Policies = nil
	opened := decision(policy.Warn, policy.InformAndEnforce)
	opened.InformOnly = true
	for _, test := range []struct {
		name     string
		decision policy.Decision
		want     policy.Verdict
		retried  bool
	}{
		{"an allowed image under enforce is unavailable", decision(policy.Allow, policy.InformAndEnforce), policy.Unavailable, true},
		{"a warning under enforce is unavailable", decision(policy.Warn, policy.InformAndEnforce), policy.Unavailable, true},
		{"a refusal is unavailable", decision(policy.Deny, policy.InformAndEnforce), policy.Unavailable, true},
		{"what could not be found out stays unavailable", decision(policy.Unavailable, policy.InformAndEnforce), policy.Unavailable, true},
		{"what could not be found out is served where it only informs", decision(policy.Warn, policy.Inform), policy.Warn, false},
		{"a refusal without a policy is unavailable", noPolicy, policy.Unavailable, true},
		{"an image that no policy matches is served", unmatched, policy.Allow, false},
		{"an allowed image that is only watched is served", decision(policy.Allow, policy.Inform), policy.Allow, false},
		{"a warning of a gate that was opened is served", opened, policy.Warn, false},
		{"a violation that is only informed about is served", decision(policy.Warn, policy.Inform), policy.Warn, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := &memory{fail: always}
				failed := 0
				start := time.Now()
				d, err := decide(t, decider{decision: test.decision}, sink, audit.Config{Failed: func() { failed++ }})
				if err != nil {
					t.Fatal(err)
				}
				if d.Verdict != test.want || failed != 1 {
					t.Errorf("got %v and %d failures, want %v and 1", d.Verdict, failed, test.want)
				}
				took := time.Since(start)
				if test.retried && took != time.Second || !test.retried && took != 0 {
					t.Errorf("took %v", took)
				}
				if test.retried != (sink.tries > 3) {
					t.Errorf("tried %d times", sink.tries)
				}
				if !test.retried {
					return
				}
				if !slices.Contains(d.Reasons, policy.ReasonAuditFailed) || d.RetryAfter != policy.RetryAfter ||
					!strings.Contains(d.Message, "could not be recorded (AUDIT_FAILED)") || !strings.HasSuffix(d.Message, "(decision "+testID+")") {
					t.Errorf("got %+v", d)
				}
				if slices.Contains(test.decision.Reasons, policy.ReasonAuditFailed) {
					t.Error("the wrapped decision was changed")
				}
			})
		})
	}
}

func TestSinkThatHangs(t *testing.T) {
	for name, test := range map[string]struct {
		behavior policy.Behavior
		want     policy.Verdict
	}{
		"enforcing": {policy.InformAndEnforce, policy.Unavailable},
		"informing": {policy.Inform, policy.Allow},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				d, err := decide(t, decider{decision: decision(policy.Allow, test.behavior)}, &memory{hold: make(chan struct{})}, audit.Config{Retry: 3 * time.Second})
				if err != nil || d.Verdict != test.want || time.Since(start) != 3*time.Second {
					t.Errorf("got %v, %v after %v", d.Verdict, err, time.Since(start))
				}
			})
		})
	}
}

func TestClientThatLeavesDuringRetriesIsStillRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{fail: 4}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		log := audit.New(decider{decision: decision(policy.Deny, policy.InformAndEnforce)}, sink, audit.Config{})
		if d, err := log.Decide(ctx, request(), oci.Image{}); err != nil || d.Verdict != policy.Deny {
			t.Errorf("got %v, %v", d.Verdict, err)
		}
		if !strings.Contains(sink.text(), `"verdict":"Deny"`) {
			t.Errorf("recorded %q", sink.text())
		}
	})
}

func TestErrorsAreNeverServed(t *testing.T) {
	broken := policy.Decision{ID: testID, Verdict: policy.Unavailable, Reasons: []string{policy.ReasonInternal}}
	for name, test := range map[string]struct {
		next    decider
		records int
	}{
		"a bug is recorded":                {decider{broken, errors.New("panic: boom")}, 1},
		"a served verdict beside an error": {decider{decision(policy.Allow, policy.Inform), errors.New("bug")}, 1},
		"a client that left":               {decider{broken, context.Canceled}, 0},
		"a deadline":                       {decider{broken, context.DeadlineExceeded}, 0},
		"no decision at all":               {decider{policy.Decision{}, errors.New("bug")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &memory{}
			d, err := decide(t, test.next, sink, audit.Config{})
			if !errors.Is(err, test.next.err) || d.Verdict.Served() {
				t.Errorf("got %v, %v", d.Verdict, err)
			}
			if n := len(sink.lines); n != test.records || n == 1 && strings.Contains(sink.text(), `"status":200`) {
				t.Errorf("got %d records: %s", n, sink.text())
			}
		})
	}
}

func TestOnlyRefusedBlobsAreRecorded(t *testing.T) {
	for v, want := range map[policy.Verdict]int{policy.Allow: 0, policy.Warn: 0, policy.Deny: 1, policy.Unavailable: 1} {
		sink := &memory{}
		log := audit.New(decider{decision: decision(v, policy.InformAndEnforce)}, sink, audit.Config{})
		d, err := log.DecideBlob(t.Context(), request(), digest)
		if err != nil || d.Verdict != v || len(sink.lines) != want {
			t.Errorf("%v: got %v, %v, %d records", v, d.Verdict, err, len(sink.lines))
		}
	}
}

func TestWithoutSinkNothingIsRecorded(t *testing.T) {
	log := audit.New(decider{decision: decision(policy.Allow, policy.InformAndEnforce)}, nil, audit.Config{})
	if d, err := log.Decide(t.Context(), request(), oci.Image{}); err != nil || d.Verdict != policy.Allow {
		t.Errorf("got %v, %v", d.Verdict, err)
	}
	if err := log.Configuration(t.Context(), "r1", "loaded"); err != nil {
		t.Error(err)
	}
}

func TestConfigurationRecordThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := 0
		log := audit.New(decider{}, &memory{fail: always}, audit.Config{Failed: func() { failed++ }})
		if err := log.Configuration(t.Context(), "r2", "loaded"); !errors.Is(err, errSink) || failed != 1 {
			t.Errorf("got %v and %d failures", err, failed)
		}
	})
}

func TestRecordOfADecisionMadeElsewhere(t *testing.T) {
	again := policy.Request{Kind: policy.KindReverification, Reference: oci.Reference{Repository: api}}
	for name, test := range map[string]struct {
		sink  *memory
		want  error
		count int
	}{
		"is written once":                      {&memory{}, nil, 0},
		"is tried again":                       {&memory{fail: 2}, nil, 0},
		"is counted when it cannot be written": {&memory{fail: always}, errSink, 1},
		"does not wait longer than a decision": {&memory{}, context.DeadlineExceeded, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if errors.Is(test.want, context.DeadlineExceeded) {
					test.sink.hold = make(chan struct{})
				}
				failed, begin := 0, time.Now()
				err := audit.New(nil, test.sink, audit.Config{Failed: func() { failed++ }}).Record(t.Context(), again, decision(policy.Deny, policy.InformAndEnforce))
				if !errors.Is(err, test.want) || failed != test.count || time.Since(begin) > time.Second {
					t.Errorf("got %v after %v, counted %d", err, time.Since(begin), failed)
				}
				if test.want != nil {
					return
				}
				if n := len(test.sink.lines); n != 1 || !strings.Contains(test.sink.text(), `"kind":"reverification"`) || !strings.Contains(test.sink.text(), `"status":403`) {
					t.Errorf("got %d records: %s", n, test.sink.text())
				}
			})
		})
	}
	if err := audit.New(nil, nil, audit.Config{}).Record(t.Context(), again, decision(policy.Deny, policy.Inform)); err != nil {
		t.Errorf("without a sink: %v", err)
	}
}

// BenchmarkDecide is what a record adds to a decision.
func BenchmarkDecide(b *testing.B) {
	log := audit.New(decider{decision: decision(policy.Allow, policy.InformAndEnforce)}, audit.NewWriterSink(discard{}), audit.Config{})
	r := request()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := log.Decide(b.Context(), r, oci.Image{}); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
