package upstream_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestDockerConfigForms(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte(secretUser + ":" + secretPassword))
	entries := map[string]string{
		"auth":                   fmt.Sprintf(`{"auth":%q}`, auth),
		"user name and password": fmt.Sprintf(`{"username":%q,"password":%q}`, secretUser, secretPassword),
	}
	for name, entry := range entries {
		for _, key := range []string{"SELF", "https://SELF", "http://SELF/v1/", "https://SELF/v2/"} {
			t.Run(name+" under "+key, func(t *testing.T) {
				g := &gate{}
				g.set(basicValue(), "Basic realm=x")
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if g.pass(w, r) {
						writeString(w, "{}")
					}
				})
				spec := s.withPassword()
				spec.Credentials = &upstream.CredentialsSpec{DockerConfigFile: "config.json"}
				config := fmt.Sprintf(`{"auths":{%q:%s,"other.example.com":{}},"credHelpers":{"gcr.io":"gcloud"}}`, strings.ReplaceAll(key, "SELF", s.host()), entry)
				read := files(map[string]string{"config.json": config})
				if _, err := open(t, s.host(), spec, read).GetManifest(t.Context(), s.image()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestDockerConfigForDockerHub(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte(secretUser + ":" + secretPassword))
	for _, key := range []string{"docker.io", "https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"} {
		registry, err := upstream.NewRegistry("docker.io", upstream.Spec{
			Access: "Shared", Credentials: &upstream.CredentialsSpec{DockerConfigFile: "config.json"},
		}, files(map[string]string{"config.json": fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, key, auth)}))
		if err != nil || !registry.SharedWithCredentials() {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

func TestOnlyADockerConfigThatSaysNothingHasNoEntry(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true,
		`{"auths":{"other.example.com":{"auth":"dTpw"}}}`:        true,
		`{"auths":{"r.example.com/team":{"auth":"dTpw"}}}`:       true,
		`{"auths":{"r.example.com":{}}}`:                         false,
		`{"auths":{"r.example.com":{}},"credsStore":"desktop"}`:  false,
		`{"credHelpers":{"r.example.com":"x"}}`:                  false,
		`{"auths":{"r.example.com":{"auth":"not base64 at all"}`: false,
	} {
		_, err := upstream.NewRegistry("r.example.com", upstream.Spec{
			Access: "Shared", Credentials: &upstream.CredentialsSpec{DockerConfigFile: "config.json"},
		}, files(map[string]string{"config.json": text}))
		if err == nil || errors.Is(err, upstream.ErrNoEntry) != want {
			t.Errorf("%s: got %v", text, err)
		}
		if found := oci.FieldErrors(err); len(found) != 1 || found[0].Path != "spec.credentials.dockerConfigFile" {
			t.Errorf("%s: got mistakes %v", text, found)
		}
	}
}
