package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

func TestSpecsAreChecked(t *testing.T) {
	good := policy.Spec{Signers: []string{"release-team"}, Behavior: "InformAndEnforce"}
	for _, test := range []struct {
		name   string
		change func(*policy.Spec)
		// want is one line per problem; warnings begin with "warning: ".
		want []string
	}{
		{"a good spec", func(*policy.Spec) {}, nil},
		{"everything is missing", func(s *policy.Spec) { *s = policy.Spec{} }, []string{
			"spec.signers: at least one signer is required (name a SignatureIntegration)",
			"spec.behavior: is required (Inform or InformAndEnforce)",
		}},
		{"wrong case", func(s *policy.Spec) {
			s.Behavior, s.Require, s.Severity, s.OnUnavailable = "informAndEnforce", "all", "HIGH", "use-last-verified"
		}, []string{
			`spec.severity: "HIGH" is not one of Low, Medium, High, Critical (did you mean High?)`,
			`spec.require: "all" is not one of Any, All (did you mean All?)`,
			`spec.behavior: "informAndEnforce" is not one of Inform, InformAndEnforce (did you mean InformAndEnforce?)`,
			`spec.onUnavailable: "use-last-verified" is not one of Deny, Allow, UseLastVerified (did you mean UseLastVerified?)`,
		}},
		{"a word of other tools", func(s *policy.Spec) { s.Behavior = "enforce" }, []string{
			`spec.behavior: "enforce" is not one of Inform, InformAndEnforce (did you mean InformAndEnforce?)`,
		}},
		{"another word of other tools", func(s *policy.Spec) { s.Behavior = "Audit" }, []string{
			`spec.behavior: "Audit" is not one of Inform, InformAndEnforce (did you mean Inform?)`,
		}},
		{"a slip", func(s *policy.Spec) { s.Behavior, s.Severity = "Infrom", "Hihg" }, []string{
			`spec.severity: "Hihg" is not one of Low, Medium, High, Critical (did you mean High?)`,
			`spec.behavior: "Infrom" is not one of Inform, InformAndEnforce (did you mean Inform?)`,
		}},
		{"no word at all", func(s *policy.Spec) { s.Require = "2 of 3" }, []string{
			`spec.require: "2 of 3" is not one of Any, All (Any or All)`,
		}},
		{"onUnavailable under Inform", func(s *policy.Spec) { s.Behavior, s.OnUnavailable = "Inform", "Allow" }, []string{
			"warning: spec.onUnavailable: has no effect while behavior is Inform",
		}},
		{"unknown signers", func(s *policy.Spec) {
			s.Signers = []string{"release_team", "relase-team", "qa-taem", "qa-teamm", "nobody"}
		}, []string{
			`spec.signers[0]: no SignatureIntegration named "release_team" (did you mean "release-team"?)`,
			`spec.signers[1]: no SignatureIntegration named "relase-team" (did you mean "release-team"?)`,
			`spec.signers[2]: no SignatureIntegration named "qa-taem" (did you mean "qa-team"?)`,
			`spec.signers[3]: no SignatureIntegration named "qa-teamm" (did you mean "qa-team"?)`,
			`spec.signers[4]: no SignatureIntegration named "nobody" (add the document, or correct the name)`,
		}},
		{"a signer twice", func(s *policy.Spec) { s.Signers = []string{"release-team", "release-team"} }, []string{
			`spec.signers[1]: signer "release-team" stands here twice (remove one)`,
		}},
		{"a pattern twice", func(s *policy.Spec) { s.Images = []string{"docker.io/**", "docker.io/**"} }, []string{
			`spec.images[1]: "docker.io/**" stands here twice (remove one)`,
		}},
		{"exclude that excludes nothing", func(s *policy.Spec) {
			s.Images, s.Exclude = []string{"docker.io/acme/**"}, []string{"registry.acme.com/**", "docker.io/acme/x"}
		}, []string{
			`warning: spec.exclude[0]: "registry.acme.com/**" excludes nothing that images matches`,
		}},
		{"one of two images is excluded", func(s *policy.Spec) {
			s.Images, s.Exclude = []string{"docker.io/acme/api", "registry.acme.com/**"}, []string{"docker.io/acme/*"}
		}, []string{
			`spec.images[0]: "docker.io/acme/api" matches nothing: all of it is excluded by "docker.io/acme/*"`,
		}},
		{"everything is excluded", func(s *policy.Spec) { s.Exclude = []string{"docker.io/acme/*", "**"} }, []string{
			`spec.exclude[1]: "**" excludes every image, so the policy matches nothing (remove it, or set disabled: true)`,
		}},
		{"a bad pattern in exclude", func(s *policy.Spec) { s.Exclude = []string{"docker.io/acme/*", "acme/api"} }, []string{
			`spec.exclude[1]: "acme/api" has no registry, patterns match origin names (docker.io/acme/api)`,
		}},
		{"included namespaces", func(s *policy.Spec) { s.Namespaces = &policy.NamespacesSpec{Include: []string{"prod"}} }, []string{
			"warning: spec.namespaces.include: a pull does not say its namespace, so this policy does not apply to pulls: only where the namespace is known (leave include out to judge every pull)",
		}},
		{"excluded namespaces", func(s *policy.Spec) { s.Namespaces = &policy.NamespacesSpec{Exclude: []string{"kube-system"}} }, []string{
			"warning: spec.namespaces.exclude: a pull does not say its namespace, so this policy applies to pulls from these namespaces as well (exclude images instead, to leave pulls alone)",
		}},
		{"a namespace both included and excluded", func(s *policy.Spec) {
			s.Namespaces = &policy.NamespacesSpec{Include: []string{"prod"}, Exclude: []string{"prod", "test"}}
		}, []string{
			`spec.namespaces.exclude[0]: namespace "prod" is included as well (remove one)`,
			`warning: spec.namespaces.exclude[1]: has no effect: "test" is not among the included namespaces`,
			"warning: spec.namespaces.include: a pull does not say its namespace, so this policy does not apply to pulls: only where the namespace is known (leave include out to judge every pull)",
		}},
		{"names that are no namespaces", func(s *policy.Spec) {
			s.Namespaces = &policy.NamespacesSpec{Exclude: []string{"Prod", "team-*", "", "-a", "a-", "a.b", "ok", "ok", strings.Repeat("a", 64)}}
		}, []string{
			`spec.namespaces.exclude[0]: "Prod" is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -`,
			`spec.namespaces.exclude[1]: "team-*": namespaces are exact names, without wildcards`,
			`spec.namespaces.exclude[2]: "" is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -`,
			`spec.namespaces.exclude[3]: "-a" is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -`,
			`spec.namespaces.exclude[4]: "a-" is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -`,
			`spec.namespaces.exclude[5]: "a.b" is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -`,
			`spec.namespaces.exclude[7]: namespace "ok" stands here twice (remove one)`,
			`spec.namespaces.exclude[8]: "` + strings.Repeat("a", 64) + `" is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -`,
			"warning: spec.namespaces.exclude: a pull does not say its namespace, so this policy applies to pulls from these namespaces as well (exclude images instead, to leave pulls alone)",
		}},
		{"a disabled policy is checked as well", func(s *policy.Spec) { s.Disabled, s.Behavior = true, "" }, []string{
			"spec.behavior: is required (Inform or InformAndEnforce)",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			spec := good
			test.change(&spec)
			p, err := policy.New("p", spec, w.signers, listed)
			var got []string
			failed := false
			for _, problem := range oci.FieldErrors(err) {
				line := problem.Error()
				if problem.Warning {
					line = "warning: " + line
				} else {
					failed = true
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if (p == nil) != failed {
				t.Errorf("got policy %v although failed is %v", p, failed)
			}
		})
	}
}
