package upstream

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

// maxTokens bounds the tokens in memory for each registry: clients choose the
// repositories, and each has its own token of at most maxTokenBytes.
const maxTokens = 512

// scheme is how a registry wants to be asked. The zero value is not known yet.
type scheme uint8

const (
	schemeUnknown scheme = iota
	schemeBasic
	schemeBearer
)

// token is what a token service gave for one scope.
type token struct {
	value Secret
	until time.Time
}

// authMemory remembers for one registry which scheme it uses and the tokens
// that are still good, so that a warm request costs no 401.
type authMemory struct {
	flights singleflight.Group

	// mu guards all below.
	mu     sync.Mutex
	scheme scheme
	// service is for schemeBearer.
	service bearer
	// tokens by scope.
	tokens *simplelru.LRU[string, token]
}

func newAuthMemory() *authMemory {
	tokens, err := simplelru.NewLRU[string, token](maxTokens, nil)
	if err != nil {
		// Only a size of zero is refused.
		panic(err)
	}
	return &authMemory{tokens: tokens}
}

// known returns the remembered scheme.
func (m *authMemory) known() (scheme, bearer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.scheme, m.service
}

// learn remembers the scheme; service is for schemeBearer.
func (m *authMemory) learn(s scheme, service bearer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scheme, m.service = s, service
}

// forget makes the next request ask the registry again how it wants to be asked.
func (m *authMemory) forget() { m.learn(schemeUnknown, bearer{}) }

// token returns a token for scope that is good at now.
func (m *authMemory) token(scope string, now time.Time) (Secret, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens.Get(scope)
	if !ok || !now.Before(t.until) {
		return Secret{}, false
	}
	return t.value, true
}

// keep remembers a token for scope.
func (m *authMemory) keep(scope string, t token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens.Add(scope, t)
}

// drop forgets the token for scope if it is still the refused one: another
// request may have fetched a new one meanwhile.
func (m *authMemory) drop(scope string, refused Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tokens.Peek(scope); ok && t.value.Reveal() == refused.Reveal() {
		m.tokens.Remove(scope)
	}
}
