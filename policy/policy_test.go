package policy_test

import (
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

func TestPolicyMatchesByNameAndNamespace(t *testing.T) {
	narrowed := func(include, exclude []string) policy.Spec {
		return policy.Spec{Namespaces: &policy.NamespacesSpec{Include: include, Exclude: exclude}}
	}
	sandbox := oci.Repository{Registry: "docker.io", Path: "acme/sandbox-1"}
	for _, test := range []struct {
		name       string
		spec       policy.Spec
		repository oci.Repository
		namespace  string
		want       bool
	}{
		{"without images it matches all", policy.Spec{}, acmeAPI, "", true},
		{"an excluded image is left alone", policy.Spec{Exclude: []string{"docker.io/acme/sandbox-*"}}, sandbox, "", false},
		{"others are not", policy.Spec{Exclude: []string{"docker.io/acme/sandbox-*"}}, acmeAPI, "", true},
		{"a disabled policy matches nothing", policy.Spec{Disabled: true}, acmeAPI, "", false},
		{"include applies in its namespace", narrowed([]string{"prod"}, nil), acmeAPI, "prod", true},
		{"include does not apply elsewhere", narrowed([]string{"prod"}, nil), acmeAPI, "test", false},
		{"include does not apply where the namespace is unknown", narrowed([]string{"prod"}, nil), acmeAPI, "", false},
		{"exclude does not apply in its namespace", narrowed(nil, []string{"kube-system"}), acmeAPI, "kube-system", false},
		{"exclude applies elsewhere", narrowed(nil, []string{"kube-system"}), acmeAPI, "prod", true},
		{"exclude applies where the namespace is unknown", narrowed(nil, []string{"kube-system"}), acmeAPI, "", true},
		{"an empty block says nothing", narrowed(nil, nil), acmeAPI, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.policy("p", test.spec)
			p := w.rules.Policies[0]
			if got := p.Matches(test.repository, test.namespace); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPolicyTellsWhatItDoes(t *testing.T) {
	for name, test := range map[string]struct {
		spec     policy.Spec
		behavior policy.Behavior
		enforces bool
	}{
		"inform":           {policy.Spec{Behavior: "Inform"}, policy.Inform, false},
		"enforce":          {policy.Spec{Behavior: "InformAndEnforce"}, policy.InformAndEnforce, true},
		"disabled enforce": {policy.Spec{Behavior: "InformAndEnforce", Disabled: true}, policy.InformAndEnforce, false},
	} {
		w := newWorld(t)
		w.policy("p", test.spec)
		p := w.rules.Policies[0]
		if p.Name() != "p" || p.Behavior() != test.behavior || p.Enforces() != test.enforces || p.Disabled() != test.spec.Disabled {
			t.Errorf("%s: got name %q, behavior %v, enforces %v, disabled %v", name, p.Name(), p.Behavior(), p.Enforces(), p.Disabled())
		}
	}
	if !new(policy.Policy).Enforces() {
		t.Error("the zero policy does not enforce")
	}
}
