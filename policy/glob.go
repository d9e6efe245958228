package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"vouchsafe/oci"
)

// Elements of a pattern that match more than themselves.
const (
	anyElement  = "*"
	anyElements = "**"
)

// glob is a pattern over whole origin names "registry/path". "*" matches any
// run of characters but "/"; "**" as a whole element matches any number of
// elements, none included, so that "registry.acme.com/team/**" matches
// "registry.acme.com/team" as well. Nothing else has a meaning of its own.
type glob struct {
	// text is the pattern as it was written.
	text string
	// compiled is text with the brackets of an IPv6 registry escaped.
	compiled string
	elements []string
	// all is true for "**": the name need not be looked at.
	all bool
}

// matches reports whether name, "registry/path", matches as a whole.
func (g glob) matches(name string) bool {
	return g.all || doublestar.MatchUnvalidated(g.compiled, name)
}

// patternError says what is wrong with a pattern and what to write instead.
type patternError struct{ message, hint string }

func (e *patternError) Error() string { return e.message }

func patternErrorf(hint, format string, args ...any) *patternError {
	return &patternError{message: fmt.Sprintf(format, args...), hint: hint}
}

// hintOf returns the hint of a pattern's error.
func hintOf(err error) string {
	if e, ok := errors.AsType[*patternError](err); ok {
		return e.hint
	}
	return ""
}

var (
	schemePrefix = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/*//`)
	portSuffix   = regexp.MustCompile(`^(.+):[0-9]{1,5}$`)
	pathFormPort = regexp.MustCompile(`^([a-z0-9.-]+)_([0-9]{1,5})$`)
	// hostCharacters are those of a registry's name with wildcards.
	hostCharacters = regexp.MustCompile(`^[a-z0-9.:*-]+$`)
)

// parseGlob reads text and refuses every pattern that no origin name can match
// or that does not mean what it looks like. listed reports whether a registry
// can be pulled from.
func parseGlob(text string, listed func(registry string) bool) (glob, error) {
	if err := checkText(text); err != nil {
		return glob{}, err
	}
	g := glob{text: text, compiled: text, elements: strings.Split(text, "/"), all: text == anyElements}
	if err := checkShape(g); err != nil {
		return glob{}, err
	}
	first := g.elements[0]
	if strings.Contains(first, "*") {
		if first != anyElements && !hostCharacters.MatchString(first) {
			return glob{}, patternErrorf("", "%q can match no registry's name", first)
		}
	} else {
		if err := checkRegistry(g, listed); err != nil {
			return glob{}, err
		}
		// The only brackets left are those of an IPv6 address.
		g.compiled = strings.NewReplacer("[", `\[`, "]", `\]`).Replace(text)
	}
	if err := checkElements(g); err != nil {
		return glob{}, err
	}
	return g, nil
}

// checkText refuses what is wrong wherever it stands in the pattern.
func checkText(text string) error {
	switch {
	case text == "":
		return patternErrorf(anyElements, "is empty")
	case len(text) > oci.MaxNameBytes:
		return patternErrorf("", "is longer than %d characters, so than any image name", oci.MaxNameBytes)
	case strings.TrimSpace(text) != text:
		return patternErrorf(strings.TrimSpace(text), "has white space around it")
	}
	if scheme := schemePrefix.FindString(text); scheme != "" {
		return patternErrorf(strings.TrimPrefix(text, scheme), "%q has a scheme, image names have none", text)
	}
	if name, _, found := strings.Cut(text, "@"); found {
		return patternErrorf(name, "%q has a digest, patterns match names without tag and digest", text)
	}
	if lower := strings.ToLower(text); lower != text {
		return patternErrorf(lower, "%q has upper-case letters, image names have none", text)
	}
	first, path, _ := strings.Cut(text, "/")
	if strings.ContainsAny(path, `[]{}?\!`) || !strings.HasPrefix(first, "[") && strings.ContainsAny(first, `[]{}?\!`) {
		return patternErrorf("", "%q: only * (any characters but /) and ** (any elements) are wildcards; [ ] { } ? ! and \\ are not", text)
	}
	return nil
}

// checkShape refuses patterns by how their elements stand together.
func checkShape(g glob) error {
	text, last := g.text, g.elements[len(g.elements)-1]
	for _, element := range g.elements {
		if element == "" {
			return patternErrorf(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '/' }), "/"),
				"%q has an empty element", text)
		}
		if strings.Contains(element, anyElements) && element != anyElements {
			return patternErrorf("", "%q: ** stands for whole elements only, write * inside an element or a / beside the **", text)
		}
	}
	if len(g.elements) == 1 {
		return checkAlone(g)
	}
	if name, _, found := strings.Cut(last, ":"); found {
		return patternErrorf(strings.TrimSuffix(text, last)+name, "%q has a tag, patterns match names without tag and digest", text)
	}
	return nil
}

// checkAlone judges a pattern without a "/".
func checkAlone(g glob) error {
	text := g.text
	switch {
	case g.all:
		return nil
	case text == anyElement:
		return patternErrorf(anyElements, "%q matches no image, because * stops at / and each name has one", text)
	case strings.HasPrefix(text, "[") || portSuffix.MatchString(text) || strings.Contains(text, ".") && !strings.Contains(text, ":"):
		return patternErrorf(text+"/"+anyElements, "%q is a registry without a repository", text)
	}
	name, _, tagged := strings.Cut(text, ":")
	if tagged {
		return patternErrorf("docker.io/library/"+name, "%q has a tag and no registry, patterns match origin names without tag and digest", text)
	}
	return patternErrorf("docker.io/library/"+text, "%q has no registry, patterns match origin names", text)
}

// checkRegistry judges a first element without wildcards.
func checkRegistry(g glob, listed func(registry string) bool) error {
	first, rest := g.elements[0], strings.Join(g.elements[1:], "/")
	if m := pathFormPort.FindStringSubmatch(first); m != nil {
		return patternErrorf(m[1]+":"+m[2]+"/"+rest, "%q is how the gateway's own paths write a port", first)
	}
	if !looksLikeHost(first) {
		return patternErrorf(oci.DockerHub+"/"+g.text, "%q has no registry, patterns match origin names", g.text)
	}
	canonical, err := oci.CanonicalRegistry(first)
	if err != nil {
		return patternErrorf("", "%q is not a registry's name", first)
	}
	if canonical != first {
		fixed := canonical + "/" + rest
		if canonical == oci.DockerHub && len(g.elements) == 2 && g.elements[1] != anyElements {
			fixed = canonical + "/library/" + rest
		}
		return patternErrorf(fixed, "%q is another name of %s, which is the one that patterns match", first, canonical)
	}
	if first == oci.DockerHub && len(g.elements) == 2 && g.elements[1] != anyElements {
		return patternErrorf("docker.io/library/"+rest, "%q is a short name, Docker Hub's own images are in library/", g.text)
	}
	if !listed(first) {
		return patternErrorf("add a Registry document, or correct the name",
			"registry %s is not listed, so no image of it can be pulled", first)
	}
	return nil
}

// looksLikeHost reports whether people read a first element as a registry (OCI
// names as Docker's reference grammar reads them, "domain").
func looksLikeHost(element string) bool {
	return strings.ContainsAny(element, ".:[") || element == "localhost"
}

// checkElements refuses path elements that no repository has. A wildcard is
// tried as one digit: separators may begin or end no element, and what is valid
// beside any text is valid beside a digit.
func checkElements(g glob) error {
	for _, element := range g.elements[1:] {
		if element == anyElements {
			continue
		}
		if err := oci.CheckPath(strings.ReplaceAll(element, "*", "0")); err != nil {
			return patternErrorf("", "%q can match no image: %q is no part of a repository's name, which has lower-case letters and digits, separated by . _ __ or -", g.text, element)
		}
	}
	return nil
}
