package policy_test

import (
	"errors"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

// onePattern returns a policy with one pattern, and the mistakes in it.
func onePattern(w *world, pattern string) (*policy.Policy, []*oci.FieldError) {
	p, err := policy.New("p", policy.Spec{Images: []string{pattern}, Signers: []string{"release-team"}, Behavior: "Inform"}, w.signers, listed)
	return p, oci.FieldErrors(err)
}

func TestPatternsMatchWholeNames(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ pattern, matches, not string }{
		{"**", "docker.io/library/nginx registry.acme.com:5000/app a.b/c/d/e", ""},
		{"docker.io/**", "docker.io/library/nginx docker.io/a/b/c", "docker.io.evil.com/a/b quay.io/a/b evil.com/docker.io/a/b"},
		{"docker.io/acme/**", "docker.io/acme/api docker.io/acme/a/b", "docker.io/acmeevil/api docker.io/other/api docker.io/x/acme/api"},
		{"docker.io/acme/*", "docker.io/acme/api", "docker.io/acme/a/b docker.io/acme"},
		{"docker.io/acme/api", "docker.io/acme/api", "docker.io/acme/api2 docker.io/acme/api/x docker.io/acme/ap registry.acme.com/acme/api"},
		{"docker.io/acme/sandbox-*", "docker.io/acme/sandbox-a docker.io/acme/sandbox-b-c", "docker.io/acme/sandbox docker.io/acme/sandbox-a/b"},
		{"docker.io/*/api", "docker.io/acme/api", "docker.io/acme/x/api docker.io/acme/api2"},
		{"docker.io/acme/*-api-*", "docker.io/acme/a-api-b docker.io/acme/x-api-y-api-z", "docker.io/acme/api docker.io/acme/a-api/b-api-c"},
		{"docker.io/**/api", "docker.io/api docker.io/acme/api docker.io/a/b/api", "docker.io/acme/api/x"},
		{"*/acme/api", "docker.io/acme/api registry.acme.com:5000/acme/api", "a.b/c/acme/api"},
		{"**/api", "docker.io/acme/api x.y/api", "docker.io/acme/apis"},
		{"*.acme.com/**", "registry.acme.com/a x.y.acme.com/a/b", "acme.com/a evilacme.com/a acme.com.evil.org/a"},
		{"registry.acme.com/team/**", "registry.acme.com/team registry.acme.com/team/a/b", "registry.acme.com/team2/a"},
		{"registry.acme.com:5000/**", "registry.acme.com:5000/app", "registry.acme.com/app registry.acme.com:50000/app"},
		{"registry.acme.com:*/app", "registry.acme.com:5000/app registry.acme.com:1/app", "registry.acme.com/app"},
		{"[::1]:5000/**", "[::1]:5000/app", ":/app 1/app [::1]:5001/app"},
		{"localhost:5000/app", "localhost:5000/app", "localhost/app docker.io/localhost/app"},
	} {
		p, problems := onePattern(w, test.pattern)
		if p == nil {
			t.Errorf("%s: %v", test.pattern, problems)
			continue
		}
		for want, names := range map[bool]string{true: test.matches, false: test.not} {
			for name := range strings.FieldsSeq(names) {
				registry, path, _ := strings.Cut(name, "/")
				if got := p.Matches(oci.Repository{Registry: registry, Path: path}, ""); got != want {
					t.Errorf("%s on %s: got %v, want %v", test.pattern, name, got, want)
				}
			}
		}
	}
}

func TestPatternsThatCanMatchNothingAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ name, pattern, message, hint string }{
		{"empty", "", "is empty", "**"},
		{"no registry part", "acme/api", "has no registry", "docker.io/acme/api"},
		{"no registry part and a wildcard", "acme/**", "has no registry", "docker.io/acme/**"},
		{"a short name of Docker Hub", "nginx", "has no registry", "docker.io/library/nginx"},
		{"a short name with a tag", "nginx:1.27", "has a tag and no registry", "docker.io/library/nginx"},
		{"a short name with Docker Hub's registry", "docker.io/nginx", "is a short name", "docker.io/library/nginx"},
		{"a wildcard where Docker Hub has two parts", "docker.io/*", "is a short name", "docker.io/library/*"},
		{"an alias", "index.docker.io/acme/api", "another name of docker.io", "docker.io/acme/api"},
		{"an alias with a short name", "registry-1.docker.io/nginx", "another name of docker.io", "docker.io/library/nginx"},
		{"a default port", "registry.acme.com:443/app", "another name of registry.acme.com", "registry.acme.com/app"},
		{"a tag", "docker.io/acme/api:1.4", "has a tag", "docker.io/acme/api"},
		{"a tag with wildcards", "docker.io/acme/**:*", "** stands for whole elements", ""},
		{"any tag", "docker.io/acme/api:*", "has a tag", "docker.io/acme/api"},
		{"a digest", "docker.io/acme/api@sha256:12ab", "has a digest", "docker.io/acme/api"},
		{"an unlisted registry", "quay.example/acme/api", "quay.example is not listed", "add a Registry document, or correct the name"},
		{"a scheme", "https://registry.acme.com/app", "has a scheme", "registry.acme.com/app"},
		{"a plain scheme", "http://registry.acme.com/app", "has a scheme", "registry.acme.com/app"},
		{"a transport", "docker://docker.io/acme/api", "has a scheme", "docker.io/acme/api"},
		{"upper case", "docker.io/Acme/**", "upper-case", "docker.io/acme/**"},
		{"a registry alone", "registry.acme.com", "without a repository", "registry.acme.com/**"},
		{"a registry alone with port", "registry.acme.com:5000", "without a repository", "registry.acme.com:5000/**"},
		{"a star alone", "*", "matches no image", "**"},
		{"a port as the gateway's paths write it", "registry.acme.com_5000/app", "gateway's own paths", "registry.acme.com:5000/app"},
		{"a class", "docker.io/acme/[ab]*", "only *", ""},
		{"alternatives", "docker.io/{acme,other}/**", "only *", ""},
		{"a question mark", "docker.io/acme/api?", "only *", ""},
		{"an escape", `docker.io/acme/\*`, "only *", ""},
		{"a negation", "!docker.io/acme/api", "only *", ""},
		{"two stars inside an element", "docker.io/acme**", "whole elements", ""},
		{"three stars", "docker.io/***/api", "whole elements", ""},
		{"an empty element", "docker.io//api", "empty element", "docker.io/api"},
		{"a slash at the end", "docker.io/acme/", "empty element", "docker.io/acme"},
		{"a slash at the start", "/docker.io/acme/api", "empty element", "docker.io/acme/api"},
		{"white space", " docker.io/acme/api", "white space", "docker.io/acme/api"},
		{"a character of no name", "docker.io/acme/a$pi", "can match no image", ""},
		{"a separator at the end", "docker.io/acme/api-", "can match no image", ""},
		{"a separator before a star", "docker.io/acme/_*", "can match no image", ""},
		{"two dots", "docker.io/acme/a..*", "can match no image", ""},
		{"a path to a parent", "docker.io/../api", "can match no image", ""},
		{"a wildcard registry with a bad character", "*_x.com/app", "can match no registry", ""},
		{"a registry with a bad port", "registry.acme.com:x/app", "not a registry's name", ""},
		{"longer than any name", "docker.io/" + strings.Repeat("a", 250), "longer than", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, problems := onePattern(w, test.pattern)
			if p != nil || len(problems) != 1 {
				t.Fatalf("got %d problems: %v", len(problems), problems)
			}
			got := problems[0]
			if got.Path != "spec.images[0]" || got.Warning {
				t.Errorf("got path %q, warning %v", got.Path, got.Warning)
			}
			if !strings.Contains(got.Message, test.message) {
				t.Errorf("got message %q, want %q in it", got.Message, test.message)
			}
			if got.Hint != test.hint {
				t.Errorf("got hint %q, want %q", got.Hint, test.hint)
			}
		})
	}
}

// FuzzPattern holds that no pattern panics, that a pattern without wildcards
// matches itself alone, and that a hint which is a pattern can be taken.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"**", "*", "docker.io/acme/**", "docker.io/nginx", "a/b", "*/**/x*", "[::1]:5000/a", "http://a/b", "a{b,c}/d", `\`, "docker.io/acme/\xff*"} {
		f.Add(seed, "docker.io", "acme/api")
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, pattern, registry, path string) {
		p, problems := onePattern(w, pattern)
		if p == nil {
			if len(problems) == 0 {
				t.Fatal("refused without a reason")
			}
			return
		}
		repository := oci.Repository{Registry: registry, Path: path}
		matched := p.Matches(repository, "")
		if !strings.Contains(pattern, "*") {
			if matched && repository.String() != pattern {
				t.Errorf("%q matches %q", pattern, repository)
			}
			first, rest, _ := strings.Cut(pattern, "/")
			own, err := oci.NewRepository(first, rest)
			if err != nil || own.String() != pattern || !p.Matches(own, "") {
				t.Errorf("%q does not match the name that it is: %v, %v", pattern, own, err)
			}
		}
		excluded, err := policy.New("p", policy.Spec{Exclude: []string{pattern}, Signers: []string{"release-team"}, Behavior: "Inform"}, w.signers, listed)
		if excluded == nil {
			if pattern != "**" && !strings.HasPrefix(pattern, "**/") {
				t.Errorf("exclude %q: %v", pattern, errors.Unwrap(err))
			}
			return
		}
		if excluded.Matches(repository, "") == matched {
			t.Errorf("%q matches %q and is not excluded, or neither", pattern, repository)
		}
	})
}
