package upstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestRealmRuleByCanary(t *testing.T) {
	canary := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) })
	_, canaryPort, _ := strings.Cut(canary.host(), ":")
	plain := func(format string) func(*server) []string {
		return func(s *server) []string {
			return []string{strings.NewReplacer("CANARY", canary.host(), "SELF", s.host(), "PORT", canaryPort).Replace(format)}
		}
	}
	for _, row := range []struct {
		name       string
		challenges func(s *server) []string
		tokenHosts []string
		hits       int
		code       oci.Code
		reason     string
	}{
		{"another port of the same host", plain(`Bearer realm="http://CANARY/token"`), nil, 0, oci.CodeUpstream, "token_realm"},
		{"another name of the same address", plain(`Bearer realm="http://localhost:` + canaryPort + `/token"`), nil, 0, oci.CodeUpstream, "token_realm"},
		{"a host that begins like the registry", plain(`Bearer realm="http://127.0.0.1.example.com:PORT/token"`), nil, 0, oci.CodeUpstream, "token_realm"},
		{"a named host", plain(`Bearer realm="http://CANARY/token"`), []string{canary.host()}, 1, 0, ""},
		{"a named host without its port", plain(`Bearer realm="http://CANARY/token"`), []string{"127.0.0.1"}, 0, oci.CodeUpstream, "token_realm"},
		{"another scheme at the registry's own host and port", plain(`Bearer realm="https://SELF/token"`), nil, 0, oci.CodeUpstream, "token_realm"},
		{"two challenges, the first of them elsewhere", func(s *server) []string {
			return []string{fmt.Sprintf(`Bearer realm="http://%s/token"`, canary.host()), s.challenge()}
		}, nil, 0, 0, ""},
		{"two challenges in one header, the second elsewhere", func(s *server) []string {
			return []string{fmt.Sprintf(`%s, Bearer realm="http://%s/token"`, s.challenge(), canary.host())}
		}, nil, 0, 0, ""},
		{"a realm elsewhere beside Basic", func(*server) []string {
			return []string{fmt.Sprintf(`Bearer realm="http://%s/token"`, canary.host()), "Basic realm=x"}
		}, nil, 0, oci.CodeUnauthorized, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, g := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) })
			g.set("Bearer T1", row.challenges(s)...)
			spec := s.withPassword()
			spec.TokenHosts = row.tokenHosts
			_, err := open(t, s.host(), spec, passwordFiles()).GetManifest(t.Context(), s.image())
			if row.code == 0 && err != nil {
				t.Errorf("got %v", err)
			} else if row.code != 0 {
				wantCode(t, err, row.code, row.reason)
			}
			if got := len(canary.take()); got != row.hits {
				t.Errorf("canary: got %d requests, want %d", got, row.hits)
			}
		})
	}
}

func TestRealmAllowed(t *testing.T) {
	for _, row := range []struct {
		registry, endpoint, scheme, hostPort string
		want                                 bool
	}{
		{"docker.io", "", "https", "auth.docker.io:443", true},
		{"docker.io", "", "http", "auth.docker.io:443", false},
		{"docker.io", "", "http", "auth.docker.io:80", false},
		{"docker.io", "", "https", "auth.docker.io:8443", false},
		{"docker.io", "", "https", "registry-1.docker.io:443", true},
		{"docker.io", "https://mirror.example.com", "https", "auth.docker.io:443", false},
		{"ghcr.io", "", "https", "auth.docker.io:443", false},
		{"ghcr.io", "https://registry-1.docker.io", "https", "auth.docker.io:443", false},
		{"ghcr.io", "", "https", "ghcr.io:443", true},
		{"ghcr.io", "", "http", "ghcr.io:80", false},
		{"ghcr.io", "", "https", "ghcr.io.example.com:443", false},
	} {
		r, err := upstream.NewRegistry(row.registry, upstream.Spec{Endpoint: row.endpoint}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.RealmAllowed(row.scheme, row.hostPort); got != row.want {
			t.Errorf("%s at %q to %s://%s: got %v, want %v", row.registry, row.endpoint, row.scheme, row.hostPort, got, row.want)
		}
	}
}

func TestTokenWithoutTLSNeverFollowsFromTLS(t *testing.T) {
	canary := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) })
	g := &gate{}
	g.set("Bearer T1", fmt.Sprintf(`Bearer realm="http://%s/token"`, canary.host()))
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if g.pass(w, r) {
			writeString(w, "{}")
		}
	})
	spec := s.withPassword()
	spec.CAFile, spec.TokenHosts = "ca.pem", []string{canary.host()}
	read := files(map[string]string{"ca.pem": s.certificate(), "user": secretUser, "password": secretPassword})
	_, err := open(t, s.host(), spec, read).GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "token_realm")
	if got := len(canary.take()); got != 0 {
		t.Errorf("canary: got %d requests", got)
	}
}

func TestTokenServiceWithABadCertificateGetsNothing(t *testing.T) {
	other := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, `{"token":"T1"}`) })
	s, g := tokenServer(t, func(http.ResponseWriter, *http.Request) {})
	g.set("Bearer T1", fmt.Sprintf(`Bearer realm="%s/token"`, other.URL))
	spec := s.withPassword()
	spec.TokenHosts = []string{other.host()}
	_, err := open(t, s.host(), spec, passwordFiles()).GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "connect")
	if got := len(other.take()); got != 0 {
		t.Errorf("token service: got %d requests", got)
	}
}
