package origin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The users that a token service knows.
const (
	Pusher = "pusher" // may read and write
	Puller = "puller" // may read
)

const (
	issuerName  = "e2e token service"
	serviceName = "e2e registry"
)

// TokenService gives out the bearer tokens that distribution accepts, in the
// GET form and in the OAuth2 form.
type TokenService struct {
	// Host is the registry's own, or another port of "localhost": a name, since
	// cosign and crane ask no token of a private address that a registry names
	// by its number.
	Host string

	key       *ecdsa.PrivateKey
	signer    jose.Signer
	passwords map[string]string
}

// NewTokenService starts a token service on a host of its own.
func NewTokenService(tb testing.TB) *TokenService {
	tb.Helper()
	s := OwnTokens(tb)
	server := httptest.NewServer(http.HandlerFunc(s.answer))
	tb.Cleanup(server.Close)
	s.Host = strings.Replace(server.URL, "http://127.0.0.1", "localhost", 1)
	return s
}

// OwnTokens returns a token service for the host of the registry that gets it.
func OwnTokens(tb testing.TB) *TokenService {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "e2e"}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		tb.Fatal(err)
	}
	return &TokenService{
		key:       key,
		signer:    signer,
		passwords: map[string]string{Pusher: rand.Text(), Puller: rand.Text()},
	}
}

// Password returns the password of a user.
func (s *TokenService) Password(user string) string { return s.passwords[user] }

// parameters is what distribution needs to check the tokens.
func (s *TokenService) parameters(tb testing.TB) configuration.Parameters {
	tb.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "e2e", Algorithm: "ES256"}}})
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "jwks.json")
	if err := os.WriteFile(file, keys, 0o600); err != nil {
		tb.Fatal(err)
	}
	return configuration.Parameters{
		"realm":   "http://" + s.Host + "/token",
		"issuer":  issuerName,
		"service": serviceName,
		"jwks":    file,
	}
}

// answer gives a token to whoever names a user and the password of that user.
func (s *TokenService) answer(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if r.Method == http.MethodPost {
		user, password = r.PostFormValue("username"), r.PostFormValue("password")
	}
	if want, known := s.passwords[user]; !known || password != want {
		http.Error(w, `{"details":"no such user, or another password"}`, http.StatusUnauthorized)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	token, err := s.token(user, r.Form["scope"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "access_token": token, "expires_in": 300})
}

// token grants what of the scopes the user may do.
func (s *TokenService) token(user string, scopes []string) (string, error) {
	type grant struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	var access []grant
	for scope := range strings.FieldsSeq(strings.Join(scopes, " ")) {
		first, last := strings.Index(scope, ":"), strings.LastIndex(scope, ":")
		if first == last {
			continue
		}
		actions := slices.DeleteFunc(strings.Split(scope[last+1:], ","), func(action string) bool {
			return action != "pull" && user != Pusher
		})
		access = append(access, grant{Type: scope[:first], Name: scope[first+1 : last], Actions: actions})
	}
	now := time.Now()
	return jwt.Signed(s.signer).Claims(map[string]any{
		"iss": issuerName, "sub": user, "aud": []string{serviceName}, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"access": access,
	}).Serialize()
}
