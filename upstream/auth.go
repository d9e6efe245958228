package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"vouchsafe/oci"
)

// pass is what one request presents.
type pass struct {
	scheme scheme
	// header is the value of Authorization, zero for none.
	header Secret
	// token is the bearer token in header.
	token Secret
	// service gave token.
	service bearer
	// cached is true for a token from memory, which may have been revoked.
	cached bool
}

// scopeFor is our own scope for reading a repository (Docker Registry token
// scope). The one in a challenge is ignored: it may ask for more, or for
// another repository.
func scopeFor(repository oci.Repository) string { return "repository:" + repository.Path + ":pull" }

// authorized sends q for repository: with what is known to be wanted, else
// without credentials; a challenge from the registry itself is answered once.
// The returned answer may still be a refusal.
func (d door) authorized(ctx context.Context, q *request, repository oci.Repository) (*answer, error) {
	scope := scopeFor(repository)
	used, err := d.pass(ctx, q.what, scope)
	if oci.CodeOf(err) == oci.CodeUnauthorized {
		// The service refuses, which may be because the registry has another by
		// now: it is asked without a token. Naming the same one is a refusal.
		used.header, err = Secret{}, nil
	}
	if err != nil {
		return nil, err
	}
	q.authorization = used.header
	a, err := d.follow(ctx, q)
	// Behind a redirect to another origin a challenge is nobody's that we know.
	if err != nil || a.status != http.StatusUnauthorized || !a.home {
		return a, err
	}
	offered := parseChallenges(a.header.Values("WWW-Authenticate"))
	a.drain()
	answered, err := d.answerChallenge(ctx, q.what, scope, offered, used)
	if err != nil {
		return nil, err
	}
	q.authorization = answered.header
	return d.follow(ctx, q)
}

// pass returns what is presented before any challenge.
func (d door) pass(ctx context.Context, what, scope string) (pass, error) {
	memory := d.registry.auth
	switch known, service := memory.known(); known {
	case schemeBasic:
		return d.basicPass(), nil
	case schemeBearer:
		if t, ok := memory.token(scope, d.client.now()); ok {
			return bearerPass(t, service, true), nil
		}
		t, err := d.token(ctx, what, scope, service)
		if oci.CodeOf(err) == oci.CodeUpstream {
			// The service may have moved: the next request asks again where it is.
			memory.forget()
		}
		return bearerPass(t, service, false), err
	case schemeUnknown:
	}
	return pass{}, nil
}

func (d door) basicPass() pass {
	return pass{scheme: schemeBasic, header: d.registry.credentials.basic()}
}

func bearerPass(t Secret, service bearer, cached bool) pass {
	return pass{
		scheme: schemeBearer, header: NewSecret("Bearer " + t.Reveal()),
		token: t, service: service, cached: cached,
	}
}

// answerChallenge chooses among the challenges that came back for used. A
// scheme that was refused is not tried again, but for a token from memory or
// from a service that the registry no longer names.
func (d door) answerChallenge(ctx context.Context, what, scope string, offered []challenge, used pass) (pass, error) {
	memory := d.registry.auth
	var refused error
	for _, c := range offered {
		service, ok := c.bearer()
		if !ok {
			continue
		}
		if o := originOf(service.realm); !d.registry.realmAllowed(o) {
			refused = trouble(reasonRealm, what,
				"the registry sends for tokens to %.200q, which its Registry document does not name (tokenHosts)", o)
			continue
		}
		if used.scheme == schemeBearer && !used.cached && used.service.same(service) {
			return pass{}, unauthorized(what, "a new token was refused")
		}
		memory.drop(scope, used.token)
		memory.learn(schemeBearer, service)
		if t, ok := memory.token(scope, d.client.now()); ok {
			return bearerPass(t, service, false), nil
		}
		t, err := d.token(ctx, what, scope, service)
		return bearerPass(t, service, false), err
	}
	for _, c := range offered {
		if c.scheme == "basic" && d.registry.credentials.canBasic() && used.scheme != schemeBasic {
			memory.learn(schemeBasic, bearer{})
			return d.basicPass(), nil
		}
	}
	if refused != nil {
		return pass{}, refused
	}
	return pass{}, unauthorized(what, "no challenge that can be answered")
}

// unauthorized is the one text for what may not be read; why is for the log.
func unauthorized(what, why string) error {
	return &oci.Error{Code: oci.CodeUnauthorized, Message: notReadable, Err: fmt.Errorf("%s: %w", what, errors.New(why))}
}
