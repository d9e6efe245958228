package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vouchsafe/oci"
)

const (
	maxTokenAnswer = 1 << 20
	// maxTokenBytes is more than any registry takes in a header.
	maxTokenBytes = 16 << 10
	tokenTime     = 30 * time.Second
	// defaultTokenLife is for answers without expires_in (Docker Registry token
	// authentication).
	defaultTokenLife = time.Minute
	maxTokenLife     = 24 * time.Hour
	// A token is given up a tenth of its life, at most maxTokenMargin, before
	// its end: it has to live until the registry has read it.
	tokenMarginPart = 10
	maxTokenMargin  = 30 * time.Second
)

// token fetches a token for scope and keeps it. Any number of callers share one
// fetch, which goes on when one of them leaves.
func (d door) token(ctx context.Context, what, scope string, service bearer) (Secret, error) {
	key := scope + "\n" + service.realm.String() + "\n" + service.service
	// Whoever comes first must not take the fetch along when it leaves; its
	// time is bounded by tokenTime instead.
	detached := context.WithoutCancel(ctx)
	flight := d.registry.auth.flights.DoChan(key, func() (got any, err error) {
		defer func() {
			// A panic in a flight would otherwise end the process.
			if p := recover(); p != nil {
				err = &oci.Error{Code: oci.CodeInternal, Reason: reasonToken, Message: "token: internal error", Err: fmt.Errorf("panic: %v", p)}
			}
		}()
		// A flight may have landed since the caller looked.
		if kept, ok := d.registry.auth.token(scope, d.client.now()); ok {
			return kept, nil
		}
		t, err := d.fetchToken(detached, scope, service)
		if err != nil {
			return nil, err
		}
		d.registry.auth.keep(scope, t)
		return t.value, nil
	})
	select {
	case <-ctx.Done():
		return Secret{}, fmt.Errorf("%s: %w", what, ctx.Err())
	case result := <-flight:
		value, _ := result.Val.(Secret)
		return value, result.Err
	}
}

// fetchToken asks the token service. With an identity token it is the OAuth2
// form; with user name and password GET with Basic and, where that is 404 or
// 405, the form; without credentials GET.
func (d door) fetchToken(ctx context.Context, scope string, service bearer) (token, error) {
	creds := d.registry.credentials
	if !creds.identity.IsZero() {
		return d.postToken(ctx, scope, service, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {creds.identity.Reveal()},
		})
	}
	q := d.tokenRequest(http.MethodGet, service)
	query := service.realm.Query()
	query.Set("scope", scope)
	if service.service != "" {
		query.Set("service", service.service)
	}
	if creds.canBasic() {
		query.Set("account", creds.username)
		q.authorization = creds.basic()
	}
	target := *service.realm
	target.RawQuery = query.Encode()
	q.url = &target
	a, err := d.follow(ctx, q)
	if err != nil {
		return token{}, err
	}
	if creds.canBasic() && (a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed) {
		a.drain()
		return d.postToken(ctx, scope, service, url.Values{
			"grant_type": {"password"}, "username": {creds.username}, "password": {creds.password.Reveal()},
		})
	}
	return d.readToken(q.what, a)
}

// postToken asks with the OAuth2 form (Docker Registry OAuth2 token
// authentication).
func (d door) postToken(ctx context.Context, scope string, service bearer, form url.Values) (token, error) {
	form.Set("scope", scope)
	form.Set("client_id", d.client.userAgent)
	if service.service != "" {
		form.Set("service", service.service)
	}
	q := d.tokenRequest(http.MethodPost, service)
	q.url = service.realm
	q.header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.form = []byte(form.Encode())
	a, err := d.follow(ctx, q)
	if err != nil {
		return token{}, err
	}
	return d.readToken(q.what, a)
}

func (d door) tokenRequest(method string, service bearer) *request {
	o := originOf(service.realm)
	q := &request{
		what:   fmt.Sprintf("token for %s from %.200s", d.registry.name, o.hostPort),
		method: method, header: http.Header{"Accept": {"application/json"}},
		total: tokenTime, transport: d.registry.foreign,
	}
	if o == d.registry.home {
		q.transport = d.registry.data
	}
	return q
}

// readToken reads the service's answer and ends it.
func (d door) readToken(what string, a *answer) (token, error) {
	if a.status != http.StatusOK {
		return token{}, statusFailure(what, oci.CodeUpstream, a)
	}
	defer func() { _ = a.Close() }()
	if err := a.plain(what); err != nil {
		return token{}, err
	}
	b, err := a.whole(maxTokenAnswer, trouble(reasonToken, what, "the answer has more than %d bytes", maxTokenAnswer))
	if err != nil {
		return token{}, err
	}
	t, err := parseToken(b, d.client.now())
	if err != nil {
		return token{}, trouble(reasonToken, what, "%v", err)
	}
	return t, nil
}

// parseToken reads the answer of a token service, untrusted. Errors quote
// nothing of it.
func parseToken(b []byte, now time.Time) (token, error) {
	var body struct {
		Token       string          `json:"token"`
		AccessToken string          `json:"access_token"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		IssuedAt    json.RawMessage `json:"issued_at"`
	}
	if json.Unmarshal(b, &body) != nil {
		return token{}, fmt.Errorf("the answer is no token in JSON")
	}
	value := body.Token
	if value == "" {
		value = body.AccessToken
	}
	switch {
	case value == "":
		return token{}, fmt.Errorf("the answer has no token")
	case len(value) > maxTokenBytes:
		return token{}, fmt.Errorf("the token has more than %d bytes", maxTokenBytes)
	case strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' }):
		return token{}, fmt.Errorf("the token has characters that no header may have")
	}
	life := defaultTokenLife
	var seconds float64
	if json.Unmarshal(body.ExpiresIn, &seconds) == nil && seconds > 0 {
		life = time.Duration(min(seconds, maxTokenLife.Seconds()) * float64(time.Second))
	}
	// issued_at counts only where it is plausible: a clock elsewhere that goes
	// wrong would make every token too old, or good for ever.
	issued := now
	var at time.Time
	if json.Unmarshal(body.IssuedAt, &at) == nil && at.Before(now) && at.Add(life).After(now) {
		issued = at
	}
	return token{value: NewSecret(value), until: issued.Add(life - min(life/tokenMarginPart, maxTokenMargin))}, nil
}
