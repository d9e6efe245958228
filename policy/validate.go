package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

// New checks spec. signers finds an integration by name; listed reports whether
// a registry has a document or is built in, for patterns that could match
// nothing; neither may be nil. The error joins an [oci.FieldError] for each
// mistake, remarks among them as warnings; the Policy is not nil when there are
// only warnings.
func New(name string, spec Spec, signers func(name string) (*verify.Integration, bool), listed func(registry string) bool) (*Policy, error) {
	c := &checker{policy: &Policy{name: name, disabled: spec.Disabled}}
	c.severity(spec)
	c.images(spec, listed)
	c.namespaces(spec.Namespaces)
	c.signers(spec.Signers, signers)
	c.combination(spec)
	err := errors.Join(c.problems...)
	if c.failed {
		return nil, err
	}
	return c.policy, err
}

// checker collects what is wrong with one spec while it fills a policy.
type checker struct {
	policy   *Policy
	problems []error
	failed   bool
}

func (c *checker) fail(path, hint, format string, args ...any) {
	e := oci.Fieldf(path, format, args...)
	e.Hint = hint
	c.problems = append(c.problems, e)
	c.failed = true
}

func (c *checker) warn(path, hint, format string, args ...any) {
	e := oci.Fieldf(path, format, args...)
	e.Hint, e.Warning = hint, true
	c.problems = append(c.problems, e)
}

func (c *checker) severity(spec Spec) {
	if spec.Severity != "" {
		c.word("spec.severity", spec.Severity, []string{"Low", "Medium", "High", "Critical"}, nil)
	}
}

// images checks both pattern lists and what they leave of each other.
func (c *checker) images(spec Spec, listed func(string) bool) {
	images := spec.Images
	if len(images) == 0 {
		images = []string{anyElements}
	}
	c.policy.images = c.globs("spec.images", images, listed)
	c.policy.exclude = c.globs("spec.exclude", spec.Exclude, listed)
	if len(c.policy.images) != len(images) || len(c.policy.exclude) != len(spec.Exclude) {
		return // A pattern that could not be read could make the rest wrong.
	}
	for i, g := range c.policy.images {
		by := slices.IndexFunc(c.policy.exclude, func(e glob) bool { return e.covers(g) })
		switch {
		case by < 0:
		case len(spec.Images) == 0:
			c.fail(at("spec.exclude", by), "remove it, or set disabled: true", "%q excludes every image, so the policy matches nothing", spec.Exclude[by])
		default:
			c.fail(at("spec.images", i), "", "%q matches nothing: all of it is excluded by %q", g.text, spec.Exclude[by])
		}
	}
	for i, e := range c.policy.exclude {
		if !slices.ContainsFunc(c.policy.images, e.overlaps) {
			c.warn(at("spec.exclude", i), "", "%q excludes nothing that images matches", e.text)
		}
	}
}

func (c *checker) globs(path string, texts []string, listed func(string) bool) []glob {
	var globs []glob
	for i, text := range texts {
		if slices.Contains(texts[:i], text) {
			c.fail(at(path, i), "remove one", "%q stands here twice", text)
			continue
		}
		g, err := parseGlob(text, listed)
		if err != nil {
			c.fail(at(path, i), hintOf(err), "%s", err)
			continue
		}
		globs = append(globs, g)
	}
	return globs
}

func (c *checker) namespaces(spec *NamespacesSpec) {
	if spec == nil {
		return
	}
	c.policy.include = c.names("spec.namespaces.include", spec.Include)
	c.policy.excludeNames = c.names("spec.namespaces.exclude", spec.Exclude)
	for i, name := range spec.Exclude {
		if slices.Contains(spec.Include, name) {
			c.fail(at("spec.namespaces.exclude", i), "remove one", "namespace %q is included as well", name)
		} else if len(spec.Include) > 0 {
			c.warn(at("spec.namespaces.exclude", i), "", "has no effect: %q is not among the included namespaces", name)
		}
	}
	switch {
	case len(spec.Include) > 0:
		c.warn("spec.namespaces.include", "leave include out to judge every pull",
			"a pull does not say its namespace, so this policy does not apply to pulls: only where the namespace is known")
	case len(spec.Exclude) > 0:
		c.warn("spec.namespaces.exclude", "exclude images instead, to leave pulls alone",
			"a pull does not say its namespace, so this policy applies to pulls from these namespaces as well")
	}
}

// names checks namespaces: DNS labels (RFC 1123), compared exactly.
func (c *checker) names(path string, names []string) []string {
	for i, name := range names {
		switch {
		case slices.Contains(names[:i], name):
			c.fail(at(path, i), "remove one", "namespace %q stands here twice", name)
		case strings.Contains(name, "*"):
			c.fail(at(path, i), "", "%q: namespaces are exact names, without wildcards", name)
		case !isLabel(name):
			c.fail(at(path, i), "", "%q is not a namespace: at most 63 lower-case letters, digits and -, the first and last no -", name)
		}
	}
	return slices.Clone(names)
}

func isLabel(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (c *checker) signers(names []string, find func(string) (*verify.Integration, bool)) {
	if len(names) == 0 {
		c.fail("spec.signers", "name a SignatureIntegration", "at least one signer is required")
	}
	for i, name := range names {
		path := at("spec.signers", i)
		if slices.Contains(names[:i], name) {
			c.fail(path, "remove one", "signer %q stands here twice", name)
			continue
		}
		integration, found := find(name)
		if !found || integration == nil {
			hint := "add the document, or correct the name"
			if near := nearest(name, func(n string) bool { _, found := find(n); return found }); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			c.fail(path, hint, "no SignatureIntegration named %q", name)
			continue
		}
		c.policy.signers = append(c.policy.signers, signer{name: name, integration: integration})
	}
	slices.SortFunc(c.policy.signers, func(a, b signer) int { return strings.Compare(a.name, b.name) })
}

// combination reads require, behavior and onUnavailable.
func (c *checker) combination(spec Spec) {
	if spec.Require != "" {
		c.policy.requireAll = c.word("spec.require", spec.Require, []string{"Any", "All"}, map[string]string{
			"or": "Any", "one": "Any", "every": "All", "each": "All", "and": "All",
		}) == "All"
	}
	if spec.Behavior == "" {
		c.fail("spec.behavior", "Inform or InformAndEnforce", "is required")
	} else {
		switch c.word("spec.behavior", spec.Behavior, []string{Inform.String(), InformAndEnforce.String()}, behaviorSynonyms) {
		case Inform.String():
			c.policy.behavior = Inform
		case InformAndEnforce.String():
			c.policy.behavior = InformAndEnforce
		}
	}
	if spec.OnUnavailable == "" {
		return
	}
	switch c.word("spec.onUnavailable", spec.OnUnavailable, []string{"Deny", "Allow", "UseLastVerified"}, map[string]string{
		"fail": "Deny", "block": "Deny", "closed": "Deny", "ignore": "Allow", "open": "Allow", "warn": "Allow", "lastverified": "UseLastVerified",
	}) {
	case "Allow":
		c.policy.onUnavailable = unavailableAllow
	case "UseLastVerified":
		c.policy.onUnavailable = unavailableUseLastVerified
	}
	if c.policy.behavior == Inform {
		c.warn("spec.onUnavailable", "", "has no effect while behavior is Inform")
	}
}

// behaviorSynonyms are what other tools call the two behaviors.
var behaviorSynonyms = map[string]string{
	"enforce": "InformAndEnforce", "deny": "InformAndEnforce", "block": "InformAndEnforce", "fail": "InformAndEnforce",
	"enforcing": "InformAndEnforce", "informenforce": "InformAndEnforce",
	"audit": "Inform", "warn": "Inform", "warning": "Inform", "dryrun": "Inform", "monitor": "Inform", "log": "Inform",
}

// word returns value if it is one of words, else it reports the mistake with
// the word that was probably meant.
func (c *checker) word(path, value string, words []string, synonyms map[string]string) string {
	if slices.Contains(words, value) {
		return value
	}
	hint := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	plain := strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(value))
	meant := synonyms[plain]
	for _, word := range words {
		if strings.ToLower(word) == plain || nearest(plain, func(n string) bool { return n == strings.ToLower(word) }) != "" {
			meant = word
		}
	}
	if meant != "" {
		hint = fmt.Sprintf("did you mean %s?", meant)
	}
	c.fail(path, hint, "%.80q is not one of %s", value, strings.Join(words, ", "))
	return ""
}

func at(path string, index int) string { return fmt.Sprintf("%s[%d]", path, index) }
