package report_test

import (
	"context"
	"testing"

	"vouchsafe/internal/report"
	"vouchsafe/oci"
)

func TestAnImageThatCannotBeReadSaysWhyAlikeInBothReports(t *testing.T) {
	for name, test := range map[string]struct {
		cause                   error
		status, reason, verdict string
	}{
		"the registry is not listed":    {&oci.Error{Code: oci.CodeNotListed}, "Untrusted", "REGISTRY_NOT_LISTED", "Deny"},
		"the registry refuses":          {&oci.Error{Code: oci.CodeUnauthorized}, "Unavailable", "FETCH_UNAUTHORIZED", "Unavailable"},
		"the registry does not answer":  {&oci.Error{Code: oci.CodeTimeout}, "Unavailable", "TIMEOUT", "Unavailable"},
		"our own time is over":          {context.DeadlineExceeded, "Unavailable", "TIMEOUT", "Unavailable"},
		"the registry is in trouble":    {&oci.Error{Code: oci.CodeUpstream}, "Unavailable", "FETCH_FAILED", "Unavailable"},
		"the registry has no such name": {&oci.Error{Code: oci.CodeManifestUnknown}, "Unavailable", "FETCH_FAILED", "Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			v := report.Unread("a.test/b:1", []string{"team"}, test.cause)
			if got := v.Results[0]; got.Status.String() != test.status || string(got.Reason) != test.reason {
				t.Errorf("verify: got %s %s, want %s %s", got.Status, got.Reason, test.status, test.reason)
			}
			c := report.Undecided("a.test/b:1", test.cause)
			if c.Verdict.String() != test.verdict || len(c.Reasons) != 1 || c.Reasons[0] != test.reason {
				t.Errorf("check: got %s %v, want %s %s", c.Verdict, c.Reasons, test.verdict, test.reason)
			}
		})
	}
}
