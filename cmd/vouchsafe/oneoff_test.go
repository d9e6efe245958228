package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
		"another registry's login is not used":       {`{"auths": {"evil.test": ` + login + `}}`, "acme.test", false, ""},
		"a port makes another registry":              {`{"auths": {"acme.test:5000": ` + login + `}}`, "acme.test", false, ""},
		"an empty entry is a helper's":               {`{"auths": {"acme.test": {}}, "credsStore": "x"}`, "acme.test", false, "credential helpers are not executed"},
		"a helper of the registry is said":           {`{"credHelpers": {"acme.test": "x"}}`, "acme.test", false, "credential helpers are not executed"},
		"a helper of another registry is not":        {`{"credHelpers": {"evil.test": "x"}}`, "acme.test", false, ""},
		"a broken file is said and not quoted":       {`{"auths": {"acme.test": {"auth": "hunter2"`, "acme.test", false, "cannot be read"},
		"a file that is too large is not read whole": {`{"x": "` + strings.Repeat("x", maxFile) + `"}`, "acme.test", false, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.json")
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			a := &app{stderr: &stderr, environ: []string{"DOCKER_CONFIG=" + dir}}
			if got := a.dockerConfig(tc.registry); (got == path) != tc.used || got != "" && got != path {
				t.Errorf("got %q, want used %v", got, tc.used)
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
	home := t.TempDir()
	path := filepath.Join(home, ".docker", "config.json")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"auths": {"acme.test": {"auth": "dTpw"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{stderr: &strings.Builder{}, environ: []string{"HOME=/nowhere", "HOME=" + home}}
	if got := a.dockerConfig("acme.test"); got != path {
		t.Errorf("got %q, want %q", got, path)
	}
	if got := (&app{stderr: &strings.Builder{}, environ: []string{"HOME=/nowhere"}}).dockerConfig("acme.test"); got != "" {
		t.Errorf("got %q without a file", got)
	}
}
