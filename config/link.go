package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// link builds what the documents describe. Mistakes stay in the documents; then
// the snapshot is not whole and must not be used.
func (l *loader) link() *Snapshot {
	s := &Snapshot{
		Registries:   map[string]*upstream.Registry{},
		Integrations: map[string]*verify.Integration{},
		origins:      map[identity]*document{},
		trustTexts:   l.trustTexts,
	}
	named := map[string][]*document{}
	for _, d := range l.documents {
		// A document without a usable name is judged too: all mistakes at once.
		if d.spec != nil {
			named[d.kind] = append(named[d.kind], d)
		}
	}
	for _, d := range named[KindIntegration] {
		l.linkIntegration(s, d)
	}
	for _, d := range named[KindRegistry] {
		l.linkRegistry(s, d)
	}
	l.addBuiltin(s)
	k := l.known(named)
	for _, d := range named[KindIntegration] {
		checkAliases(d, k)
		checkSignatureRepository(d, k)
	}
	for _, d := range named[KindPolicy] {
		l.linkPolicy(s, d, k)
	}
	for _, d := range l.documents {
		if d.spec == nil || d.name == "" {
			continue
		}
		s.origins[d.id()] = d
		s.Documents = append(s.Documents, Document{Kind: d.kind, Name: d.name, File: d.file.name, Line: d.line, Spec: d.spec})
	}
	sortedDocuments(s.Documents)
	l.linkSettings(s, k)
	s.Rules.Integrations = valuesByName(s.Integrations)
	slices.SortFunc(s.Rules.Policies, func(a, b *policy.Policy) int {
		if a.Name() < b.Name() {
			return -1
		}
		return 1
	})
	if l.clean() {
		// With a mistake in a document remarks would only be its consequences.
		l.remark(named)
		s.Revision = revisionOf(s, l.opts.Settings)
		s.Rules.Revision = s.Revision
	}
	return s
}

// clean reports whether no mistake was found so far.
func (l *loader) clean() bool {
	return l.problems.Mistakes() == 0 && !slices.ContainsFunc(l.documents, (*document).failed)
}

// guarded turns a panic of a constructor into a mistake: a document must not end
// a gateway that is running.
func guarded[T any](build func() (T, error)) (built T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var none T
			built, err = none, oci.Fieldf("spec", "cannot be judged: internal error")
		}
	}()
	return build()
}

func (l *loader) linkIntegration(s *Snapshot, d *document) {
	built, err := guarded(func() (*verify.Integration, error) {
		return verify.LoadIntegration(d.name, *d.spec.(*verify.Spec), verify.LoadOptions{
			Files: l.trustFiles(d.file.folder), Mirrors: l.opts.Mirrors, Now: l.opts.Now,
		})
	})
	d.adopt(err)
	if built == nil || d.failed() || d.name == "" {
		return
	}
	if l.opts.Previous != nil {
		if before := l.opts.Previous.Integrations[d.name]; before != nil && before.Revision() == built.Revision() && before.Mirror() == built.Mirror() {
			built = before
		}
	}
	s.Integrations[d.name] = built
}

func (l *loader) linkRegistry(s *Snapshot, d *document) {
	if l.again {
		s.Registries[d.name] = l.opts.Previous.Registries[d.name]
		return
	}
	built := l.newRegistry(d.name, *d.spec.(*upstream.Spec), l.references.reader(d.file.folder), d.adopt)
	if built != nil && !d.failed() && d.name != "" {
		s.Registries[d.name] = built
	}
}

// newRegistry builds a registry, or takes the one in force when it is the same.
func (l *loader) newRegistry(name string, spec upstream.Spec, files upstream.Files, adopt func(error)) *upstream.Registry {
	if name == "" {
		// The name is wrong and reported; any other lets the rest be judged.
		name = "registry.invalid"
	}
	built, err := guarded(func() (*upstream.Registry, error) {
		return upstream.NewRegistry(name, spec, files)
	})
	adopt(err)
	if built == nil || l.opts.Previous == nil {
		return built
	}
	if before := l.opts.Previous.Registries[name]; before != nil && before.Revision() == built.Revision() {
		return before
	}
	return built
}

// addBuiltin adds the registries that are known without a document, unless the
// settings say none.
func (l *loader) addBuiltin(s *Snapshot) {
	for _, name := range slices.Sorted(maps.Keys(builtin(l.opts.Settings))) {
		if slices.ContainsFunc(l.documents, func(d *document) bool { return d.id() == identity{KindRegistry, name} }) {
			continue
		}
		spec := builtin(l.opts.Settings)[name]
		built := l.newRegistry(name, spec, nil, func(err error) {
			if err != nil {
				l.problems = append(l.problems, Problem{Message: fmt.Sprintf("built-in registry %s: %v", name, err)})
			}
		})
		if built != nil {
			s.Registries[name] = built
			s.Documents = append(s.Documents, Document{Kind: KindRegistry, Name: name, Spec: &spec})
		}
	}
}

func builtin(settings Settings) map[string]upstream.Spec {
	if settings.KnownRegistries == KnownNone {
		return nil
	}
	known, err := guarded(func() (map[string]upstream.Spec, error) { return upstream.Builtin(), nil })
	if err != nil {
		return nil
	}
	return known
}

// known are the names that documents may refer to, whether or not the document
// behind the name is right: one mistake is not to be reported twice.
type known struct {
	signers    []string
	registries []string
}

func (l *loader) known(named map[string][]*document) known {
	var k known
	for _, d := range named[KindIntegration] {
		k.signers = append(k.signers, d.name)
	}
	for _, d := range named[KindRegistry] {
		k.registries = append(k.registries, d.name)
	}
	k.registries = append(k.registries, slices.Collect(maps.Keys(builtin(l.opts.Settings)))...)
	slices.Sort(k.signers)
	slices.Sort(k.registries)
	return k
}

func (l *loader) linkPolicy(s *Snapshot, d *document, k known) {
	spec := d.spec.(*policy.Spec)
	l.checkSigners(s, d, spec.Signers, k)
	built, err := guarded(func() (*policy.Policy, error) {
		return policy.New(d.name, *spec,
			func(name string) (*verify.Integration, bool) {
				in, ok := s.Integrations[name]
				return in, ok
			},
			func(registry string) bool { return slices.Contains(k.registries, registry) })
	})
	d.adopt(err)
	if built != nil && !d.failed() && d.name != "" && !spec.Disabled {
		s.Rules.Policies = append(s.Rules.Policies, built)
	}
}

// checkSigners reports names of no integration. A name whose document is wrong
// is not a second mistake.
func (l *loader) checkSigners(s *Snapshot, d *document, signers []string, k known) {
	for i, name := range signers {
		path := "spec.signers[" + strconv.Itoa(i) + "]"
		if slices.Contains(k.signers, name) {
			if s.Integrations[name] == nil {
				d.broken = append(d.broken, path)
			}
			continue
		}
		if name == "" || d.known(path) {
			continue
		}
		hint := didYouMean(name, k.signers)
		if hint == "" {
			hint = "add a " + KindIntegration + " document of this name"
		}
		d.mistake(path, "no "+KindIntegration+" document named "+quoted(name), hint)
	}
}

// checkAliases reports aliases for images that can never be pulled.
func checkAliases(d *document, k known) {
	for i, alias := range d.spec.(*verify.Spec).SignedNameAliases {
		checkListed(d, "spec.signedNameAliases["+strconv.Itoa(i)+"].to", alias.To, k)
	}
}

// checkSignatureRepository reports signatures that nothing may ask for.
func checkSignatureRepository(d *document, k known) {
	if repository := d.spec.(*verify.Spec).SignatureRepository; repository != "" {
		checkListed(d, "spec.signatureRepository", repository, k)
	}
}

// checkListed reports a repository of a registry that is not listed, unless
// something else is wrong with it.
func checkListed(d *document, path, repository string, k known) {
	registry, _, _ := strings.Cut(repository, "/")
	if d.known(path) || slices.Contains(k.registries, registry) {
		return
	}
	hint := didYouMean(registry, k.registries)
	if hint == "" {
		hint = "add a " + KindRegistry + " document of this name"
	}
	d.mistake(path, "no "+KindRegistry+" document named "+quoted(registry), hint)
}

// valuesByName returns the values in the order of their names.
func valuesByName[T any](m map[string]T) []T {
	values := make([]T, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[name])
	}
	return values
}
