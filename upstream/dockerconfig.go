package upstream

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"vouchsafe/oci"
)

// dockerFile is what is read of Docker's config.json.
type dockerFile struct {
	Auths       map[string]dockerEntry `json:"auths"`
	CredHelpers map[string]string      `json:"credHelpers"`
	CredsStore  string                 `json:"credsStore"`
}

type dockerEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

// ErrNoEntry is found in the error of [NewRegistry] when the docker config that
// spec names says nothing about the registry: a mistake in a document, and no
// wonder in a file that was written for something else.
var ErrNoEntry = errors.New("the docker config has no entry for the registry")

// noEntryError is the mistake that is ErrNoEntry.
type noEntryError struct{ mistake *oci.FieldError }

func (e *noEntryError) Error() string        { return e.mistake.Error() }
func (e *noEntryError) Unwrap() error        { return e.mistake }
func (e *noEntryError) Is(target error) bool { return target == ErrNoEntry }

// dockerConfig reads the credentials for the registry called name. Helpers are
// never executed: a program chosen by a file would run with the gateway's
// rights.
func (c *check) dockerConfig(name, path, file string) credentials {
	b, ok := c.read(path, file, maxDockerFile)
	if !ok {
		return credentials{}
	}
	var config dockerFile
	if json.Unmarshal(b, &config) != nil {
		// The decoder's own message is left out: it may quote a secret.
		c.errorf(path, "is not a docker config in JSON")
		return credentials{}
	}
	const never = "credential helpers are not executed: write usernameFile and passwordFile, or an auths entry"
	for key := range config.CredHelpers {
		if dockerKey(key) == name {
			c.hintf(never, path, "has a credential helper for %s", name)
			return credentials{}
		}
	}
	entry, found := config.entry(name)
	if found {
		if creds, ok := entry.credentials(); ok {
			return creds
		}
	}
	switch {
	case config.CredsStore != "":
		c.hintf(never, path, "keeps the credentials for %s in a credential store", name)
	case found:
		c.hintf("auth (base64 of user:password), username with password, or identitytoken", path, "has an entry for %s that holds no usable credentials", name)
	default:
		c.mistakes = append(c.mistakes, &noEntryError{oci.Fieldf(path, "has no credentials for %s", name)})
	}
	return credentials{}
}

// entry returns the entry for name: one that is written so, else the first of
// its other spellings.
func (f dockerFile) entry(name string) (dockerEntry, bool) {
	if e, ok := f.Auths[name]; ok {
		return e, true
	}
	for _, key := range slices.Sorted(maps.Keys(f.Auths)) {
		if dockerKey(key) == name {
			return f.Auths[key], true
		}
	}
	return dockerEntry{}, false
}

// dockerKey returns the canonical registry that a key of auths is for, or "".
// Keys are hosts or, from older clients, URLs such as
// "https://index.docker.io/v1/". A key with any other path is for a part of a
// registry, so its credentials are not for the whole.
func dockerKey(key string) string {
	host := strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, path, _ := strings.Cut(host, "/")
	switch strings.TrimSuffix(path, "/") {
	case "", "v1", "v2":
	default:
		return ""
	}
	canonical, err := oci.CanonicalRegistry(host)
	if err != nil {
		return ""
	}
	return canonical
}

func (e dockerEntry) credentials() (credentials, bool) {
	username, password := e.Username, e.Password
	if e.Auth != "" {
		pair, err := base64.StdEncoding.DecodeString(e.Auth)
		if err != nil {
			return credentials{}, false
		}
		user, pass, found := strings.Cut(strings.TrimRight(string(pair), "\x00"), ":")
		if !found {
			return credentials{}, false
		}
		username, password = user, pass
	}
	creds := credentials{username: username, password: NewSecret(password), identity: NewSecret(e.IdentityToken)}
	usable := !strings.Contains(username, ":") && creds.present()
	return creds, usable
}
