package report

import (
	"slices"
	"strings"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// Check is what the policies decide about one image, and why.
type Check struct {
	Verification
	Verdict policy.Verdict `json:"verdict"`
	// Policies are all that matched.
	Policies []policy.Outcome `json:"policies"`
	Reasons  []string         `json:"reasons"`
	// Message is the one line that a puller would get.
	Message string `json:"message"`
	// Decision is the id of the decision, as in its audit record; empty when
	// none was made.
	Decision string `json:"decision,omitempty"`
}

// NewCheck reports a decision about the image that was asked for as image.
func NewCheck(image oci.Reference, d policy.Decision) Check {
	return Check{
		Verification: NewVerification(image, d.Image.Digest, d.Results),
		Verdict:      d.Verdict,
		Policies:     d.Policies,
		Reasons:      d.Reasons,
		Message:      d.Message,
		Decision:     d.ID,
	}.filled()
}

// Undecided reports an image that could not be read, so that nothing was
// decided about it. One of a registry that is not listed is refused, as a pull
// of it would be.
func Undecided(image string, cause error) Check {
	v := Unread(image, nil, cause)
	status, reason := unread(cause)
	verdict := policy.Unavailable
	if status == verify.Untrusted {
		verdict = policy.Deny
	}
	message := v.Message
	v.Message = ""
	return Check{Verification: v, Verdict: verdict, Reasons: []string{string(reason)}, Message: message}.filled()
}

// filled replaces nil lists: a program that reads the JSON meets a list always.
func (c Check) filled() Check {
	if c.Policies == nil {
		c.Policies = []policy.Outcome{}
	}
	if c.Reasons == nil {
		c.Reasons = []string{}
	}
	if c.Results == nil {
		c.Results = []verify.Result{}
	}
	return c
}

// Checks are a [Tabler]: a line for each image, and when wide a line for each
// result and each signature behind it.
type Checks []Check

// Tables implements [Tabler].
func (all Checks) Tables(wide bool) []Grid {
	decisions := Grid{Head: []string{"IMAGE", "VERDICT", "POLICIES", "REASONS", "MESSAGE"}}
	platforms := slices.ContainsFunc(all, func(c Check) bool { return c.Platform != "" })
	if platforms {
		decisions.Head = slices.Insert(decisions.Head, 1, "PLATFORM")
	}
	var behind Verifications
	for _, c := range all {
		row := []string{c.Image, c.Verdict.String(), c.policyNames(), strings.Join(c.Reasons, ","), c.Message}
		if platforms {
			row = slices.Insert(row, 1, c.Platform)
		}
		decisions.Rows = append(decisions.Rows, row)
		if len(c.Results) > 0 {
			behind = append(behind, c.Verification)
		}
	}
	if !wide {
		return []Grid{decisions}
	}
	return append([]Grid{decisions}, behind.Tables(true)...)
}
