package upstream_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

const privateKeyPEM = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5LXNlY3JldA==\n-----END PRIVATE KEY-----\n"

func TestNewRegistryMistakes(t *testing.T) {
	creds := func(user, password, docker string) *upstream.CredentialsSpec {
		return &upstream.CredentialsSpec{UsernameFile: user, PasswordFile: password, DockerConfigFile: docker}
	}
	auth := base64.StdEncoding.EncodeToString([]byte("u:canary-secret"))
	content := map[string]string{
		"user": "u\n", "password": "canary-secret\n", "empty": "\n", "lines": "canary-secret\nb\n", "colon": "u:canary-secret",
		"big": strings.Repeat("canary-secret", 10_000), "key.pem": privateKeyPEM, "text": "canary-secret",
		"broken.pem":  "-----BEGIN CERTIFICATE-----\nY2FuYXJ5LXNlY3JldA==\n-----END CERTIFICATE-----\n",
		"broken.json": `{"auths":{"registry.example.com":{"auth":canary-secret}}}`,
		"other.json":  `{"auths":{"other.example.com":{"auth":"` + auth + `"},"registry.example.com/part":{"auth":"` + auth + `"}}}`,
		"store.json":  `{"auths":{"registry.example.com":{}},"credsStore":"desktop"}`,
		"helper.json": `{"auths":{"registry.example.com":{"auth":"` + auth + `"}},"credHelpers":{"registry.example.com":"ecr-login"}}`,
		"bad64.json":  `{"auths":{"registry.example.com":{"auth":"!canary-secret"}}}`,
		"half.json":   `{"auths":{"registry.example.com":{"username":"u"}}}`,
	}
	read := func(name string) ([]byte, error) {
		text, ok := content[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("no such file")}
		}
		return []byte(text), nil
	}
	for _, row := range []struct {
		name     string
		registry string
		spec     upstream.Spec
		// want is "path: message (hint)", its beginning.
		want string
	}{
		{"an alias", "index.docker.io", upstream.Spec{}, `metadata.name: "index.docker.io" is another name of docker.io (write docker.io)`},
		{"upper case", "Registry.Example.com", upstream.Spec{}, `metadata.name: "Registry.Example.com" is another name of registry.example.com (write registry.example.com)`},
		{"the default port", "registry.example.com:443", upstream.Spec{}, `metadata.name: "registry.example.com:443" is another name of registry.example.com`},
		{"a path in the name", "registry.example.com/acme", upstream.Spec{}, `metadata.name: "registry.example.com/acme" is not a registry host`},
		{"a URL as name", "https://registry.example.com", upstream.Spec{}, `metadata.name: "https://registry.example.com" is not a registry host`},
		{"an endpoint without scheme", "", upstream.Spec{Endpoint: "registry.example.com"}, "spec.endpoint: is not a URL"},
		{"an endpoint with port but without scheme", "", upstream.Spec{Endpoint: "registry.example.com:5000"}, "spec.endpoint: is not a URL"},
		{"another scheme", "", upstream.Spec{Endpoint: "ftp://registry.example.com"}, "spec.endpoint: has a scheme that is neither https nor http"},
		{"a password in the endpoint", "", upstream.Spec{Endpoint: "https://u:canary-secret@registry.example.com"}, "spec.endpoint: holds a user name or password (use spec.credentials)"},
		{"a query", "", upstream.Spec{Endpoint: "https://registry.example.com?x=canary-secret"}, "spec.endpoint: has a query or fragment"},
		{"a port that is none", "", upstream.Spec{Endpoint: "https://registry.example.com:99999"}, "spec.endpoint: has a port that is none"},
		{"a climbing path", "", upstream.Spec{Endpoint: "https://registry.example.com/a/../b"}, "spec.endpoint: has a path with escapes or .."},
		{"the path of the API", "", upstream.Spec{Endpoint: "https://registry.example.com/v2/"}, "spec.endpoint: ends in /v2, which is added to it (leave /v2 out)"},
		{"plain without saying so", "", upstream.Spec{Endpoint: "http://registry.example.com"}, "spec.plainHTTP: must be true for an endpoint that begins with http://"},
		{"said to be plain, but is not", "", upstream.Spec{Endpoint: "https://registry.example.com", PlainHTTP: true}, "spec.plainHTTP: is true, but the endpoint begins with https://"},
		{"access of callers", "", upstream.Spec{Access: "Caller"}, "spec.access: Caller is not supported yet"},
		{"access misspelt", "", upstream.Spec{Access: "shared"}, "spec.access: is not known (write Shared)"},
		{"credentials without access", "", upstream.Spec{Credentials: creds("user", "password", "")}, "spec.access: must be written when there are credentials"},
		{"credentials without a file", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "")}, "spec.credentials: names no file"},
		{"credentials of both forms", "", upstream.Spec{Access: "Shared", Credentials: creds("user", "password", "other.json")}, "spec.credentials: has dockerConfigFile beside"},
		{"a user alone", "", upstream.Spec{Access: "Shared", Credentials: creds("user", "", "")}, "spec.credentials.passwordFile: is missing"},
		{"a password alone", "", upstream.Spec{Access: "Shared", Credentials: creds("", "password", "")}, "spec.credentials.usernameFile: is missing"},
		{"a missing file", "", upstream.Spec{Access: "Shared", Credentials: creds("user", "nowhere", "")}, "spec.credentials.passwordFile: open nowhere: no such file"},
		{"an empty file", "", upstream.Spec{Access: "Shared", Credentials: creds("user", "empty", "")}, "spec.credentials.passwordFile: the file is empty"},
		{"a file of lines", "", upstream.Spec{Access: "Shared", Credentials: creds("user", "lines", "")}, "spec.credentials.passwordFile: the file has more than one line"},
		{"a file over the ceiling", "", upstream.Spec{Access: "Shared", Credentials: creds("user", "big", "")}, "spec.credentials.passwordFile: the file has more than 65536 bytes"},
		{"a colon in the user name", "", upstream.Spec{Access: "Shared", Credentials: creds("colon", "password", "")}, "spec.credentials.usernameFile: holds a colon"},
		{"a docker config that is none", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "broken.json")}, "spec.credentials.dockerConfigFile: is not a docker config in JSON"},
		{"a docker config for others", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "other.json")}, "spec.credentials.dockerConfigFile: has no credentials for registry.example.com"},
		{"a credential store", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "store.json")}, "spec.credentials.dockerConfigFile: keeps the credentials for registry.example.com in a credential store (credential helpers are not executed"},
		{"a credential helper", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "helper.json")}, "spec.credentials.dockerConfigFile: has a credential helper for registry.example.com (credential helpers are not executed"},
		{"an entry that is not base64", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "bad64.json")}, "spec.credentials.dockerConfigFile: has an entry for registry.example.com that holds no usable credentials"},
		{"an entry without password", "", upstream.Spec{Access: "Shared", Credentials: creds("", "", "half.json")}, "spec.credentials.dockerConfigFile: has an entry for registry.example.com that holds no usable credentials"},
		{"a TTL of zero", "", upstream.Spec{TagTTL: short(0)}, "spec.tagTTL: must be more than zero"},
		{"a negative timeout", "", upstream.Spec{Timeouts: &upstream.TimeoutsSpec{Idle: short(-time.Second)}}, "spec.timeouts.idle: must be more than zero"},
		{"a token host as URL", "", upstream.Spec{TokenHosts: []string{"auth.example.com", "https://auth.example.com"}}, `spec.tokenHosts[1]: "https://auth.example.com" is not a host or host:port`},
		{"a token host with wildcard", "", upstream.Spec{TokenHosts: []string{"*.example.com"}}, `spec.tokenHosts[0]: "*.example.com" is not a host or host:port`},
		{"a token host with a bad port", "", upstream.Spec{TokenHosts: []string{"auth.example.com:99999"}}, `spec.tokenHosts[0]: "auth.example.com:99999" is not a host or host:port`},
		{"a redirect host without port", "", upstream.Spec{RedirectHosts: []string{"*.example.com"}}, `spec.redirectHosts[0]: "*.example.com" names no port, so matches nothing`},
		{"a redirect host as URL", "", upstream.Spec{RedirectHosts: []string{"https://blobs.example.com:443"}}, `spec.redirectHosts[0]: "https://blobs.example.com:443" is not a glob of host:port`},
		{"a redirect host that is no glob", "", upstream.Spec{RedirectHosts: []string{"[a:443"}}, `spec.redirectHosts[0]: "[a:443" is not a glob`},
		{"redirects anywhere", "", upstream.Spec{RedirectHosts: []string{"*:443"}}, `spec.redirectHosts[0]: "*:443" names every host`},
		{"redirects anywhere, in disguise", "", upstream.Spec{RedirectHosts: []string{"[a-z0-9]**.*:*"}}, `spec.redirectHosts[0]: "[a-z0-9]**.*:*" names every host`},
		{"a private key as CA", "", upstream.Spec{CAFile: "key.pem"}, `spec.caFile: holds a PEM block "PRIVATE KEY" (only CERTIFICATE blocks belong here)`},
		{"text as CA", "", upstream.Spec{CAFile: "text"}, "spec.caFile: holds no certificate in PEM"},
		{"a certificate that is none", "", upstream.Spec{CAFile: "broken.pem"}, "spec.caFile: certificate 1 cannot be read"},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := row.registry
			if name == "" {
				name = "registry.example.com"
			}
			registry, err := upstream.NewRegistry(name, row.spec, read)
			all := oci.FieldErrors(err)
			if registry != nil || len(all) != 1 || !strings.HasPrefix(all[0].Error(), row.want) {
				t.Errorf("got %v, want %s", all, row.want)
			}
			if err != nil && strings.Contains(err.Error(), "canary-secret") || err != nil && strings.Contains(err.Error(), "Y2FuYXJ5") {
				t.Errorf("echoes a secret: %v", err)
			}
		})
	}
}

func TestNewRegistryTellsAllMistakesAtOnce(t *testing.T) {
	_, err := upstream.NewRegistry("index.docker.io", upstream.Spec{
		Endpoint: "x", Access: "Caller", TagTTL: short(0), CAFile: "ca.pem", RedirectHosts: []string{"*:1", "a"},
	}, nil)
	if got := len(oci.FieldErrors(err)); got != 7 {
		t.Errorf("got %d mistakes, want 7: %v", got, err)
	}
}

func TestNewRegistryDefaults(t *testing.T) {
	registry, err := upstream.NewRegistry("registry.example.com:5000", upstream.Spec{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if registry.Name() != "registry.example.com:5000" || registry.TagTTL() != 30*time.Second || registry.SharedWithCredentials() {
		t.Errorf("got %s, %v, %v", registry.Name(), registry.TagTTL(), registry.SharedWithCredentials())
	}
	for name, spec := range upstream.Builtin() {
		if _, err := upstream.NewRegistry(name, spec, nil); err != nil {
			t.Errorf("built in %s: %v", name, err)
		}
	}
	if got := len(upstream.Builtin()); got != 4 {
		t.Errorf("got %d built-in registries, want 4", got)
	}
}

func TestStaleTagTTL(t *testing.T) {
	for _, row := range []struct {
		name    string
		written *upstream.Duration
		want    time.Duration
	}{
		{"not written is an hour", nil, time.Hour},
		{"zero is never", short(0), 0},
		{"what is written", short(time.Minute), time.Minute},
	} {
		spec := upstream.Spec{StaleTagTTL: row.written}
		for _, spec := range []upstream.Spec{spec, spec.Effective("registry.example.com")} {
			registry, err := upstream.NewRegistry("registry.example.com", spec, nil)
			if err != nil || registry.StaleTagTTL() != row.want {
				t.Errorf("%s: got %v, %v, want %v", row.name, registry.StaleTagTTL(), err, row.want)
			}
		}
	}
	_, err := upstream.NewRegistry("registry.example.com", upstream.Spec{StaleTagTTL: short(-1)}, nil)
	if all := oci.FieldErrors(err); len(all) != 1 || all[0].Path != "spec.staleTagTTL" {
		t.Errorf("got %v", err)
	}
}

func TestRevision(t *testing.T) {
	build := func(name string, spec upstream.Spec, password string) string {
		t.Helper()
		r, err := upstream.NewRegistry(name, spec, files(map[string]string{"user": "u", "password": password, "other": password}))
		if err != nil {
			t.Fatal(err)
		}
		return r.Revision()
	}
	const name = "registry.example.com"
	base := upstream.Spec{Access: "Shared", Credentials: &upstream.CredentialsSpec{UsernameFile: "user", PasswordFile: "password"}}
	first := build(name, base, "a")
	if got := build(name, base, "a"); got != first {
		t.Errorf("not equal for equal input: %s, %s", got, first)
	}
	spelled := base
	spelled.Endpoint, spelled.TagTTL, spelled.StaleTagTTL = "https://"+name, short(30*time.Second), short(time.Hour)
	spelled.Credentials = &upstream.CredentialsSpec{UsernameFile: "user", PasswordFile: "other"}
	if got := build(name, spelled, "a"); got != first {
		t.Error("defaults written out, or another file name, make another revision")
	}
	seen := map[string]string{first: "the base"}
	for what, change := range map[string]func(s *upstream.Spec){
		"endpoint":      func(s *upstream.Spec) { s.Endpoint = "https://other.example.com" },
		"tagTTL":        func(s *upstream.Spec) { s.TagTTL = short(time.Minute) },
		"staleTagTTL":   func(s *upstream.Spec) { s.StaleTagTTL = short(time.Minute) },
		"no stale tags": func(s *upstream.Spec) { s.StaleTagTTL = short(0) },
		"tokenHosts":    func(s *upstream.Spec) { s.TokenHosts = []string{"a.example.com"} },
		"redirectHosts": func(s *upstream.Spec) { s.RedirectHosts = []string{"a.example.com:443"} },
		"private":       func(s *upstream.Spec) { s.AllowPrivateAddresses = true },
		"timeouts":      func(s *upstream.Spec) { s.Timeouts = &upstream.TimeoutsSpec{Idle: short(time.Minute)} },
		"no password":   func(s *upstream.Spec) { s.Credentials = nil },
	} {
		spec := base
		change(&spec)
		got := build(name, spec, "a")
		if twin, ok := seen[got]; ok {
			t.Errorf("%s and %s have one revision", what, twin)
		}
		seen[got] = what
	}
	if build(name, base, "b") == first {
		t.Error("another password, the same revision")
	}
}
