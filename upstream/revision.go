package upstream

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// stretch makes guessing a weak password from a printed revision slow.
const stretch = 20_000

// hash returns the revision: over what the spec means, defaults filled in, and
// over what its files held.
func (r *Registry) hash(caPEM []byte) string {
	canonical, err := json.Marshal(struct {
		Name, Endpoint            string
		TagTTL, StaleTagTTL       time.Duration
		TokenHosts, RedirectHosts []string
		AllowPrivate              bool
		Connect, Header, Idle     time.Duration
		CA                        []byte
		Credentials               string
	}{
		r.name, r.endpoint.String(), r.tagTTL, r.staleTagTTL, r.tokenHosts, r.redirectHosts, r.allowPrivate,
		r.timeouts.connect, r.timeouts.header, r.timeouts.idle, caPEM, r.credentials.fingerprint(r.name),
	})
	if err != nil {
		// Texts, numbers and lists of texts always have a JSON form.
		panic(fmt.Sprintf("encode registry %s: %v", r.name, err))
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// fingerprint tells credentials apart without telling what they are; empty for
// none.
func (c credentials) fingerprint(name string) string {
	if !c.present() {
		return ""
	}
	// %q keeps the three apart whatever they hold.
	secret := fmt.Sprintf("%q %q %q", c.username, c.password.Reveal(), c.identity.Reveal())
	key, err := pbkdf2.Key(sha256.New, secret, []byte("vouchsafe registry "+name), stretch, sha256.Size)
	if err != nil {
		panic(fmt.Sprintf("hash credentials of %s: %v", name, err))
	}
	return hex.EncodeToString(key)
}
