package policy_test

import (
	"fmt"
	"testing"
	"time"

	"vouchsafe/policy"
	"vouchsafe/verify"
)

// TestSignersCombine goes through every pair of statuses of two signers.
func TestSignersCombine(t *testing.T) {
	statuses := []verify.Result{verified, unsigned, otherKey, timeout}
	any := [4][4]policy.Verdict{
		{allow, allow, allow, allow},
		{allow, deny, deny, unavailable},
		{allow, deny, deny, unavailable},
		{allow, unavailable, unavailable, unavailable},
	}
	all := [4][4]policy.Verdict{
		{allow, deny, deny, unavailable},
		{deny, deny, deny, deny},
		{deny, deny, deny, deny},
		{unavailable, deny, deny, unavailable},
	}
	for require, want := range map[string][4][4]policy.Verdict{"": any, "Any": any, "All": all} {
		for i, first := range statuses {
			for j, second := range statuses {
				t.Run(fmt.Sprintf("%q of %v and %v", require, first.Status, second.Status), func(t *testing.T) {
					w := newWorld(t)
					w.policy("prod-signed", policy.Spec{Signers: []string{"release-team", "qa-team"}, Require: require})
					img := image(t, acmeAPI, "a")
					w.says(acmeAPI, img.Reference.Digest, "release-team", first)
					w.says(acmeAPI, img.Reference.Digest, "qa-team", second)
					d := w.decide(img)
					check(t, d)
					if d.Verdict != want[i][j] {
						t.Errorf("got %v, want %v", d.Verdict, want[i][j])
					}
				})
			}
		}
	}
}

func TestUseLastVerifiedFollowsRequire(t *testing.T) {
	recent, old, never := lastVerified(time.Hour), lastVerified(25*time.Hour), timeout
	for _, test := range []struct {
		require       string
		first, second verify.Result
		want          policy.Verdict
	}{
		{"Any", recent, never, warn},
		{"Any", old, recent, warn},
		{"Any", recent, unsigned, warn},
		{"Any", old, never, unavailable},
		{"All", recent, recent, warn},
		{"All", recent, verified, warn},
		{"All", recent, never, unavailable},
		{"All", recent, old, unavailable},
		{"All", recent, unsigned, deny},
		{"Any", lastVerified(-25 * time.Hour), never, unavailable},
	} {
		name := fmt.Sprintf("%s of %v (%s) and %v (%s)", test.require,
			test.first.Status, ago(testNow.Sub(test.first.LastVerifiedAt)), test.second.Status, ago(testNow.Sub(test.second.LastVerifiedAt)))
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("prod-signed", policy.Spec{Signers: []string{"release-team", "qa-team"}, Require: test.require, OnUnavailable: "UseLastVerified"})
			img := image(t, acmeAPI, "a")
			w.says(acmeAPI, img.Reference.Digest, "release-team", test.first)
			w.says(acmeAPI, img.Reference.Digest, "qa-team", test.second)
			if d := w.decide(img); d.Verdict != test.want {
				t.Errorf("got %v, want %v", d.Verdict, test.want)
			}
		})
	}
}
