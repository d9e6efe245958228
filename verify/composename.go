package verify

import (
	"fmt"
	"strings"

	"vouchsafe/oci"
)

// The values of spec.signedName.
const (
	signedNameAny        = "Any"
	signedNameRepository = "Repository"
	signedNameIfNamed    = "RepositoryIfNamed"
)

// everythingUnder ends a repository pattern that stands for all under it.
const everythingUnder = "/**"

// nameRule composes spec.signedName and spec.signedNameAliases.
func (c *composer) nameRule() nameRule {
	var rule nameRule
	switch c.spec.SignedName {
	case "", signedNameAny:
		rule.mode = nameAny
	case signedNameRepository:
		rule.mode = nameRepository
	case signedNameIfNamed:
		rule.mode = nameIfNamed
	default:
		c.mistake("spec.signedName", fmt.Sprintf("%.40q is not known", c.spec.SignedName), "write Any, Repository or RepositoryIfNamed")
		return rule
	}
	if rule.mode == nameAny && len(c.spec.SignedNameAliases) > 0 {
		c.mistake("spec.signedNameAliases", "has no effect with signedName: Any", "set signedName: Repository, or remove the aliases")
		return rule
	}
	seen := map[nameAlias]int{}
	for i, spec := range c.spec.SignedNameAliases {
		path := item("spec.signedNameAliases", i)
		alias, ok := c.alias(path, spec)
		if first, again := seen[alias]; ok && again {
			c.warn(path, fmt.Sprintf("the same as signedNameAliases[%d]", first), "")
		} else if ok {
			seen[alias] = i
			rule.aliases = append(rule.aliases, alias)
		}
	}
	return rule
}

func (c *composer) alias(path string, spec AliasSpec) (nameAlias, bool) {
	from, fromUnder, fromOK := c.repositoryName(path+".from", spec.From)
	to, toUnder, toOK := c.repositoryName(path+".to", spec.To)
	switch {
	case !fromOK || !toOK:
		return nameAlias{}, false
	case fromUnder != toUnder:
		c.mistake(path, "only one of from and to ends in "+everythingUnder, "write both as repositories, or both with "+everythingUnder+" at the end")
		return nameAlias{}, false
	case from == to:
		c.mistake(path, "from and to are the same, so it has no effect", "remove it")
		return nameAlias{}, false
	}
	return nameAlias{from: from, to: to, under: fromUnder}, true
}

// repositoryName parses one side of an alias: "registry/path", "registry/path/**"
// or "registry/**". Without a wildcard it is that of a repository.
func (c *composer) repositoryName(path, text string) (name string, under, ok bool) {
	name, under = strings.CutSuffix(text, everythingUnder)
	registry, repository, hasPath := strings.Cut(name, "/")
	canonical, err := oci.CanonicalRegistry(registry)
	switch {
	case text == "":
		c.mistake(path, "is empty", "write registry/repository")
	case strings.Contains(name, "*"):
		c.mistake(path, fmt.Sprintf("%.80q: only "+everythingUnder+" at the end is a wildcard here", text), "")
	case strings.Contains(text, "://"):
		c.mistake(path, fmt.Sprintf("%.80q has a scheme, image names have none", text), "")
	case err != nil:
		c.mistake(path, fmt.Sprintf("%.80q has no registry part", text), "write registry/repository, such as docker.io/acme/api")
	case canonical != registry:
		c.mistake(path, fmt.Sprintf("%q is another name of %s", registry, canonical), "write "+canonical)
	case !hasPath && !under:
		c.mistake(path, fmt.Sprintf("%.80q is a registry without a repository", text), "write "+name+everythingUnder+" for all of it")
	case hasPath && oci.CheckPath(repository) != nil:
		c.mistake(path, fmt.Sprintf("%.80q is not the name of a repository", text), "write it without tag and digest, in lower case")
	case hasPath && registry == oci.DockerHub && !under && !strings.Contains(repository, "/"):
		c.mistake(path, fmt.Sprintf("%q is a short name", text), "write docker.io/library/"+repository)
	default:
		return name, under, true
	}
	return "", false, false
}
