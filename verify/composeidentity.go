package verify

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// nonsense are texts of the two shapes of identities that no signer of ours has.
// An expression that matches each of one shape would take anybody who can get a
// certificate of a public instance.
var nonsense = [][]string{
	{
		"https://qzkw.invalid/vuxo/jyfe/.github/workflows/wq.yml@refs/heads/zzyx",
		"https://hjol.test:8443/b@/9-kd?m=qq@refs/tags/zv0",
		"https://4x7.example/@uv//ggp.qz/xk@refs/pull/77/w",
	},
	{"vuxo.jyfe@qzkw.invalid", "b9-kd@hjol.test", "ggp@4x7.example"},
}

// identity composes whose certificates count.
func (c *composer) identity(path string, spec CertificateSpec, public bool) matcher {
	if spec.Identity == "" && spec.IdentityRegExp == "" {
		c.mistake(path, "has no identity, so anybody's certificate would count", "set identity or identityRegExp")
		return matcher{}
	}
	return c.matcher(path, "identity", spec.Identity, spec.IdentityRegExp, public)
}

// issuer composes who must have vouched for the identity.
func (c *composer) issuer(path string, spec CertificateSpec, public bool) matcher {
	written := spec.OIDCIssuer != "" || spec.OIDCIssuerRegExp != ""
	switch {
	case spec.AnyIssuer && (spec.Chain == "" || public):
		c.mistake(path+".anyIssuer", "is for certificates of an own chain alone", "set oidcIssuer")
		return matcher{}
	case spec.AnyIssuer && written:
		c.mistake(path+".anyIssuer", "contradicts the issuer beside it", "keep one of the two")
		return matcher{}
	case spec.AnyIssuer:
		return matcher{}
	case !written:
		hint := "set oidcIssuer or oidcIssuerRegExp"
		if spec.Chain != "" {
			hint += ", or anyIssuer: true for certificates that carry none"
		}
		c.mistake(path, "has no issuer, so anybody could vouch for the identity", hint)
		return matcher{}
	}
	if public && spec.OIDCIssuer != "" && !strings.Contains(spec.OIDCIssuer, "://") {
		c.warn(path+".oidcIssuer", "is no URL, as issuers of the public instance are", "did you mean https://"+strings.TrimSpace(spec.OIDCIssuer))
	}
	return c.matcher(path, "oidcIssuer", spec.OIDCIssuer, spec.OIDCIssuerRegExp, public)
}

// matcher composes one text and its expression, of which one is written.
func (c *composer) matcher(path, field, exact, expression string, public bool) matcher {
	exactPath, expressionPath := path+"."+field, path+"."+field+"RegExp"
	switch {
	case exact != "" && expression != "":
		c.mistake(expressionPath, "stands beside "+field, "keep one of the two")
		return matcher{}
	case exact != "":
		if problem := checkWanted(exact); problem != "" {
			c.mistake(exactPath, problem, "")
		} else if strings.Contains(exact, "*") || strings.HasPrefix(exact, "^") {
			c.warn(exactPath, "is compared as it stands, * and ^ included", "did you mean "+field+"RegExp")
		}
		return matcher{exact: exact}
	}
	return c.expression(expressionPath, expression, public)
}

// expression composes an expression and warns of what it likely does not mean.
func (c *composer) expression(path, text string, public bool) matcher {
	if problem := checkWanted(text); problem != "" {
		c.mistake(path, problem, "")
		return matcher{}
	}
	compiled, err := newWholeExpression(text)
	if err != nil {
		problem := err.Error()
		if broken, ok := errors.AsType[*syntax.Error](err); ok {
			problem = fmt.Sprintf("is no expression (RE2): %s: %.60q", broken.Code, broken.Expr)
		}
		c.mistake(path, problem, "")
		return matcher{}
	}
	if public && takesAnybody(compiled) {
		c.mistake(path, "matches nonsense too, so anybody who asks a public instance for a certificate", "name at least the host and the organization")
		return matcher{}
	}
	if beginsAndIsOpen(text) {
		c.warn(path, "an expression matches the whole string: did you mean "+closed(text), "")
	}
	return matcher{expression: compiled}
}

// checkWanted refuses texts that no certificate holds.
func checkWanted(text string) string {
	switch {
	case len(text) > maxExpression:
		return fmt.Sprintf("longer than %d characters", maxExpression)
	case strings.TrimSpace(text) != text:
		return "begins or ends with white space"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "holds a control character"
	}
	return ""
}

// takesAnybody reports whether an expression matches all nonsense of a shape.
func takesAnybody(e wholeExpression) bool {
	return slices.ContainsFunc(nonsense, func(shape []string) bool {
		return !slices.ContainsFunc(shape, func(text string) bool { return !e.matches(text) })
	})
}

// beginsAndIsOpen reports whether an expression says where it begins and not where
// it ends, as those do that elsewhere match a beginning.
func beginsAndIsOpen(text string) bool {
	parsed, err := syntax.Parse(text, syntax.Perl)
	return err == nil && strings.HasPrefix(text, "^") && openEnd(parsed)
}

func openEnd(e *syntax.Regexp) bool {
	switch e.Op {
	case syntax.OpConcat, syntax.OpCapture:
		return openEnd(e.Sub[len(e.Sub)-1])
	case syntax.OpAlternate:
		return slices.ContainsFunc(e.Sub, openEnd)
	case syntax.OpEndText, syntax.OpEndLine:
		return false
	case syntax.OpStar, syntax.OpPlus:
		return e.Sub[0].Op != syntax.OpAnyChar && e.Sub[0].Op != syntax.OpAnyCharNotNL
	default:
		return true
	}
}

// closed is what an expression that is open at its end likely means.
func closed(text string) string {
	if strings.HasSuffix(text, "/") || strings.Contains(text, "@refs/") {
		return text + ".*"
	}
	if strings.Contains(text, "@") {
		return text + "$"
	}
	return text + "/.*"
}
