package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/internal/lab"
)

func TestDockerConfig(t *testing.T) {
	const login = `{"auth": "dTpodW50ZXIy"}`
	for name, tc := range map[string]struct {
		file, registry string
		used           bool
		says           string
	}{
		"a login for the registry is used":           {`{"auths": {"acme.test": ` + login + `}}`, "acme.test", true, ""},
		"a key may be a URL":                         {`{"auths": {"https://acme.test/v2/": ` + login + `}}`, "acme.test", true, ""},
		"Docker Hub has its own key":                 {`{"auths": {"https://index.docker.io/v1/": ` + login + `}}`, "docker.io", true, ""},
		"an identity token alone is a login":         {`{"auths": {"acme.test": {"identitytoken": "hunter2"}}}`, "acme.test", true, ""},
		"another registry's login is not used":       {`{"auths": {"evil.test": ` + login + `}}`, "acme.test", false, ""},
		"a port makes another registry":              {`{"auths": {"acme.test:5000": ` + login + `}}`, "acme.test", false, ""},
		"a login for a part of it is not for all":    {`{"auths": {"acme.test/team": ` + login + `}}`, "acme.test", false, ""},
		"an empty entry is a helper's":               {`{"auths": {"acme.test": {}}, "credsStore": "x"}`, "acme.test", false, "credential helpers are not executed"},
		"a helper of the registry is said":           {`{"credHelpers": {"acme.test": "x"}}`, "acme.test", false, "credential helpers are not executed"},
		"a helper wins over a login beside it":       {`{"auths": {"acme.test": ` + login + `}, "credHelpers": {"acme.test": "x"}}`, "acme.test", false, "credential helpers are not executed"},
		"a helper of another registry is not":        {`{"credHelpers": {"evil.test": "x"}}`, "acme.test", false, ""},
		"a login that cannot be used is said":        {`{"auths": {"acme.test": {"auth": "hunter2"}}}`, "acme.test", false, "no usable credentials"},
		"a broken file is said and not quoted":       {`{"auths": {"acme.test": {"auth": "hunter2"`, "acme.test", false, "is not a docker config in JSON"},
		"a file that is too large is not read whole": {`{"x": "` + strings.Repeat("x", maxFile) + `"}`, "acme.test", false, "larger than 1 MiB"},
		"no file is no login":                        {"", "acme.test", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.file != "" {
				if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(tc.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stderr strings.Builder
			a := &app{stderr: &stderr, environ: []string{"DOCKER_CONFIG=" + dir}}
			registry, err := a.oneOffRegistry(tc.registry, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := registry.SharedWithCredentials(); got != tc.used {
				t.Errorf("got used %v, want %v", got, tc.used)
			}
			if said := stderr.String(); !strings.Contains(said, tc.says) || (tc.says == "") != (said == "") {
				t.Errorf("said %q, want %q", said, tc.says)
			}
			if strings.Contains(stderr.String(), "hunter2") {
				t.Error("a password was printed")
			}
		})
	}
}

func TestDockerConfigIsInTheHomeByDefault(t *testing.T) {
	a := &app{environ: []string{"HOME=/nowhere", "HOME=/home/u"}}
	if got, want := a.dockerConfig(), filepath.Join("/home/u", ".docker", "config.json"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTokenServiceElsewhereIsAdvised(t *testing.T) {
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://tokens.acme.test/token",service="acme"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer registry.Close()
	key, err := lab.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(file, []byte(key.PublicPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout strings.Builder
	image := strings.TrimPrefix(registry.URL, "http://") + "/acme/api:1.4"
	args := []string{"verify", "-o", "json", "--plain-http", "--key", file, image}
	if code := run(t.Context(), args, strings.NewReader(""), &stdout, io.Discard, nil); code != exitUnknown {
		t.Errorf("exit code %d, want %d", code, exitUnknown)
	}
	for _, want := range []string{"tokens.acme.test", "(tokenHosts)", "write a Registry document with it", "--config-dir"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("does not say %q: %s", want, stdout.String())
		}
	}
}
