package proxy

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"vouchsafe/oci"
)

// challenge asks a client for its token. It names Basic alone: that is what
// container runtimes and tools send without a token service (RFC 7617, section 2).
const challenge = `Basic realm="vouchsafe"`

// Limits of client tokens.
const (
	maxTokenFile     = 1 << 20
	maxTokenLines    = 10_000
	maxTokenName     = 64
	minToken         = 16
	maxToken         = 512
	maxAuthorization = 4 << 10
)

// ErrTokens is a file of client tokens that cannot be used.
var ErrTokens = errors.New("client tokens")

// Tokens are the client tokens that are known, as SHA-256 sums with their names.
// The zero value knows none. It is immutable and safe for concurrent use.
type Tokens struct {
	byName map[string][sha256.Size]byte
	// names is by the sum of a token. Which sums the map compares tells nothing
	// about a token to somebody who can time it.
	names map[[sha256.Size]byte]string
}

// ParseTokens reads one name:token a line. Empty lines and lines that begin with
// # say nothing; lines end with LF or CRLF. A name is unique and has 1 to 64 of
// A-Z, a-z, 0-9, ".", "_" and "-"; a token is unique and has 16 to 512 printable
// ASCII characters without a space. There is at least one, in at most 10,000
// lines and 1 MiB. The error is an [ErrTokens] that names the line and repeats
// nothing of it.
func ParseTokens(b []byte) (*Tokens, error) {
	switch {
	case len(b) > maxTokenFile:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTokens, maxTokenFile)
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return nil, fmt.Errorf("%w: line 1: begins with a byte order mark", ErrTokens)
	}
	t := &Tokens{byName: map[string][sha256.Size]byte{}, names: map[[sha256.Size]byte]string{}}
	number := 0
	for line := range strings.Lines(string(b)) {
		if number++; number > maxTokenLines {
			return nil, fmt.Errorf("%w: more than %d lines", ErrTokens, maxTokenLines)
		}
		if err := t.add(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTokens, number, err)
		}
	}
	if len(t.byName) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrTokens)
	}
	return t, nil
}

// add takes one line. Its errors repeat nothing of it: a line without a colon
// may well be a token.
func (t *Tokens) add(line string) error {
	if strings.TrimSpace(line) == "" || line[0] == '#' {
		return nil
	}
	name, token, found := strings.Cut(line, ":")
	switch {
	case !found:
		return errors.New("is not name:token")
	case name == "" || len(name) > maxTokenName || strings.ContainsFunc(name, notInName):
		return fmt.Errorf("the name must be 1 to %d of A-Z, a-z, 0-9, '.', '_' and '-'", maxTokenName)
	case len(token) < minToken || len(token) > maxToken:
		return fmt.Errorf("the token must have %d to %d characters", minToken, maxToken)
	case strings.ContainsFunc(token, notInToken):
		return errors.New("the token must be of printable ASCII characters without a space")
	}
	sum := sha256.Sum256([]byte(token))
	if _, again := t.byName[name]; again {
		return errors.New("the name is there before")
	}
	if _, again := t.names[sum]; again {
		return errors.New("the token is there before, under another name")
	}
	t.byName[name], t.names[sum] = sum, name
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

func notInToken(r rune) bool { return r <= ' ' || r > '~' }

// Len returns how many tokens there are.
func (t *Tokens) Len() int { return len(t.byName) }

// String keeps even the sums out of logs.
func (t *Tokens) String() string { return fmt.Sprintf("%d client tokens", t.Len()) }

// Authenticate returns the name whose token a request presents, by Basic with
// that name as the user, or by Bearer. It is false for no token, an unknown one,
// a header over 4 KiB and more than one header: which of two counts is not
// something to guess.
func (t *Tokens) Authenticate(r *http.Request) (name string, ok bool) {
	values := r.Header["Authorization"]
	if t == nil || len(values) != 1 || len(values[0]) > maxAuthorization {
		return "", false
	}
	scheme, credentials, _ := strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.DecodeString(credentials)
		if err != nil {
			return "", false
		}
		user, password, _ := strings.Cut(string(decoded), ":")
		return t.matching(user, password)
	case strings.EqualFold(scheme, "Bearer"):
		return t.matching(t.names[sha256.Sum256([]byte(credentials))], credentials)
	}
	return "", false
}

// matching returns name when token is its own. It takes the same time for a name
// that is not known.
func (t *Tokens) matching(name, token string) (string, bool) {
	want, known := t.byName[name]
	got := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !known {
		return "", false
	}
	return name, true
}

// authenticate refuses a client that does not present a token where one is
// demanded, and remembers who does.
func (h *Handler) authenticate(x *exchange) error {
	if h.cfg.Tokens == nil {
		return nil
	}
	name, ok := h.cfg.Tokens().Authenticate(x.r)
	if ok {
		x.user = name
		return nil
	}
	refusal := &oci.Error{Code: oci.CodeUnauthenticated, Message: "the client token is not known"}
	if len(x.r.Header["Authorization"]) == 0 {
		refusal.Message = "a client token is needed"
	}
	return refusal
}
