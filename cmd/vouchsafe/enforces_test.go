package main

import (
	"testing"

	"vouchsafe/policy"
	"vouchsafe/verify"
)

func TestWhatCannotBeJudgedIsRefusedWhereAnythingCanBe(t *testing.T) {
	enforcing, err := policy.New("p", policy.Spec{Images: []string{"docker.io/**"}, Behavior: "InformAndEnforce", Signers: []string{"s"}}, anySigner, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rules policy.Rules
		want  bool
	}{
		"nothing is set":                       {policy.Rules{}, true},
		"what no policy matches is refused":    {policy.Rules{WhenNoPolicy: policy.Deny}, true},
		"nothing refuses":                      {policy.Rules{WhenNoPolicy: policy.Allow}, false},
		"a policy refuses":                     {policy.Rules{WhenNoPolicy: policy.Allow, Policies: []*policy.Policy{enforcing}}, true},
		"a policy would, if it did not inform": {policy.Rules{Policies: []*policy.Policy{enforcing}, InformOnly: true}, false},
	} {
		if got := enforces(c.rules); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func anySigner(string) (*verify.Integration, bool) { return new(verify.Integration), true }
