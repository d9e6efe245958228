package main

import (
	"testing"

	"vouchsafe/policy"
	"vouchsafe/verify"
)

func TestResultCode(t *testing.T) {
	for name, tc := range map[string]struct {
		statuses []verify.Status
		want     int
	}{
		"one verified is enough":                {[]verify.Status{verify.Untrusted, verify.Verified, verify.Unavailable}, exitOK},
		"else one unknown makes it unknown":     {[]verify.Status{verify.Untrusted, verify.Unavailable}, exitUnknown},
		"unsigned and untrusted are no":         {[]verify.Status{verify.Unsigned, verify.Untrusted}, exitRefused},
		"a status that was never set is no yes": {[]verify.Status{0}, exitRefused},
		"no result at all is unknown":           {nil, exitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			var results []verify.Result
			for _, status := range tc.statuses {
				results = append(results, verify.Result{Status: status})
			}
			if got := resultCode(results); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestVerdictCode(t *testing.T) {
	for verdict, want := range map[policy.Verdict][2]int{
		policy.Allow:       {exitOK, exitOK},
		policy.Warn:        {exitOK, exitRefused},
		policy.Unavailable: {exitUnknown, exitUnknown},
		policy.Deny:        {exitRefused, exitRefused},
		0:                  {exitRefused, exitRefused},
		99:                 {exitRefused, exitRefused},
	} {
		if got := [2]int{verdictCode(verdict, false), verdictCode(verdict, true)}; got != want {
			t.Errorf("%v: got %v, want %v", verdict, got, want)
		}
	}
}
