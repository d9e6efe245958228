package config

import (
	"fmt"
	"slices"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// remark adds what is no mistake but likely not meant.
func (l *loader) remark(named map[string][]*document) {
	used := map[string]bool{}
	active := 0
	for _, d := range named[KindPolicy] {
		spec := d.spec.(*policy.Spec)
		if spec.Disabled {
			if spec.Behavior == policy.InformAndEnforce.String() {
				d.warn("spec.disabled", "the policy would enforce, but is disabled and matches nothing")
			}
			continue
		}
		active++
		for _, name := range spec.Signers {
			used[name] = true
		}
	}
	for _, d := range named[KindIntegration] {
		if d.name != "" && !used[d.name] {
			d.warn("metadata.name", "no policy in force trusts this integration")
		}
	}
	if active == 0 && l.opts.Settings.WhenNoPolicy == WhenNoPolicyAllow {
		l.problems = append(l.problems, Problem{Message: "nothing is enforced: there is no " + KindPolicy + " in force", Warning: true})
	}
}

func (d *document) warn(path, message string) {
	p := d.problemAt(path, message, "")
	p.Warning = true
	d.problems = append(d.problems, p)
}

// linkSettings checks the settings against the documents.
func (l *loader) linkSettings(s *Snapshot, k known) {
	s.Rules.WhenNoPolicy = policy.Deny
	if l.opts.Settings.WhenNoPolicy == WhenNoPolicyAllow {
		s.Rules.WhenNoPolicy = policy.Allow
	}
	if s.Rules.InformOnly = l.opts.Settings.InformOnly; s.Rules.InformOnly {
		l.problems = append(l.problems, Problem{
			Path: EnvPrefix + "INFORM_ONLY", Message: "the gate is open: nothing is refused", Warning: true,
		})
	}
	name := l.opts.Settings.DefaultRegistry
	if name == "" {
		name = oci.DockerHub
	}
	canonical, err := oci.CanonicalRegistry(name)
	if err == nil && slices.Contains(k.registries, canonical) {
		return
	}
	if canonical == oci.DockerHub {
		// Nobody asked for it: it is the default, and who lists registries alone
		// need not have one for names that say none.
		l.problems = append(l.problems, Problem{
			Path: EnvPrefix + "DEFAULT_REGISTRY", Warning: true,
			Message: "no " + KindRegistry + " document named " + quoted(name) + ": image names without a registry are unknown",
		})
		return
	}
	hint := didYouMean(name, k.registries)
	if hint == "" {
		hint = fmt.Sprintf("add a %s document of this name, or set %sDEFAULT_REGISTRY to a listed one", KindRegistry, EnvPrefix)
	}
	l.problems = append(l.problems, Problem{
		Path: EnvPrefix + "DEFAULT_REGISTRY", Message: "no " + KindRegistry + " document named " + quoted(name), Hint: hint,
	})
}
