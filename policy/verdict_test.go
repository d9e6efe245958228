package policy_test

import (
	"testing"

	"vouchsafe/policy"
)

func TestWorseOrdersVerdicts(t *testing.T) {
	order := []policy.Verdict{allow, warn, unavailable, deny}
	for i, a := range order {
		for j, b := range order {
			if got, want := policy.Worse(a, b), order[max(i, j)]; got != want {
				t.Errorf("worse of %v and %v: got %v, want %v", a, b, got, want)
			}
		}
		for _, invalid := range []policy.Verdict{0, 5, 255} {
			if policy.Worse(a, invalid) != deny || policy.Worse(invalid, a) != deny {
				t.Errorf("worse of %v and an invalid verdict is not Deny", a)
			}
		}
	}
}

func TestOnlyAllowAndWarnAreServed(t *testing.T) {
	for v := range policy.Verdict(255) {
		if got, want := v.Served(), v == allow || v == warn; got != want {
			t.Errorf("%d: got %v, want %v", v, got, want)
		}
	}
}

func TestClosedSetsSpellThemselves(t *testing.T) {
	for got, want := range map[string]string{
		policy.Verdict(0).String():  "Invalid",
		policy.Behavior(0).String(): "Invalid",
		policy.Kind(0).String():     "invalid",
		policy.KindPull.String():    "pull",
		policy.KindCheck.String():   "check",
		policy.Inform.String():      "Inform",
		deny.String():               "Deny",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
