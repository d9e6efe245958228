package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/tool"
)

// canaries are secrets by where they are put. Each is looked for as it is and in
// the forms in which it travels.
type canaries struct {
	mu     sync.Mutex // guards places
	places map[string]string
}

// lay returns a new secret for a place.
func (c *canaries) lay(place string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.places[place] == "" {
		c.places[place] = "canary" + rand.Text()
	}
	return c.places[place]
}

// checkAbsent demands that no secret is in a text.
func (c *canaries) checkAbsent(tb testing.TB, where, text string) {
	tb.Helper()
	for place, secret := range c.places {
		for _, form := range []string{
			secret, url.QueryEscape(secret), strings.ToLower(secret),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		} {
			if at := strings.Index(text, form); at >= 0 {
				tb.Errorf("the secret of %s is in %s: …%s…", place, where, text[max(0, at-60):min(len(text), at+len(form)+20)])
			}
		}
	}
}

// moods are what the registry below does to a request, by repository.
var moods = map[string]func(w http.ResponseWriter, r *http.Request, c *canaries){
	"fine": nil,
	"broken": func(w http.ResponseWriter, _ *http.Request, _ *canaries) {
		w.WriteHeader(http.StatusInternalServerError)
	},
	"echo":      func(w http.ResponseWriter, r *http.Request, _ *canaries) { echo(w, r, http.StatusBadRequest) },
	"echo-html": func(w http.ResponseWriter, r *http.Request, _ *canaries) { echo(w, r, http.StatusOK) },
	"forbidden": func(w http.ResponseWriter, _ *http.Request, _ *canaries) { w.WriteHeader(http.StatusForbidden) },
	"signed-redirect": func(w http.ResponseWriter, r *http.Request, c *canaries) {
		http.Redirect(w, r, "http://127.0.0.1:9/x?X-Amz-Signature="+c.lay("signed redirect"), http.StatusTemporaryRedirect)
	},
	"userinfo-redirect": func(w http.ResponseWriter, r *http.Request, c *canaries) {
		http.Redirect(w, r, "http://user:"+c.lay("redirect with a password")+"@127.0.0.1:9/x", http.StatusTemporaryRedirect)
	},
	"cut": func(w http.ResponseWriter, _ *http.Request, _ *canaries) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("{"))
		panic(http.ErrAbortHandler)
	},
}

// echo answers with what it was sent, credentials included.
func echo(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("X-Echo", r.Header.Get("Authorization"))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":%q,"detail":%q}]}`, r.Header.Get("Authorization"), r.URL.String())
}

// canaryRegistry wants a token for everything and gives one for the password.
func canaryRegistry(tb testing.TB, c *canaries, o *slowOrigin) string {
	tb.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			_, password, _ := r.BasicAuth()
			if password != c.lay("registry password") {
				echo(w, r, http.StatusUnauthorized)
				return
			}
			_, _ = fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, c.lay("registry token"))
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+c.lay("registry token") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+server.URL+`/token",service="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for name, mood := range moods {
			if mood != nil && strings.Contains(r.URL.Path, "/"+name+"/") {
				mood(w, r, c)
				return
			}
		}
		o.ServeHTTP(w, r)
	}))
	tb.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestCanarySecret puts a secret into every place that takes one, provokes
// everything that makes the gateway speak, and reads all that it said.
func TestCanarySecret(t *testing.T) {
	c := &canaries{places: map[string]string{}}
	o := newSlowOrigin(t, 1<<10)
	host := canaryRegistry(t, c, o)
	user := secret(t, "username", "user")
	password := secret(t, "password", c.lay("registry password"))
	wrong := secret(t, "wrong", c.lay("wrong registry password"))
	docker := secret(t, "config.json", fmt.Sprintf(`{"auths":{"docker.example.com":{"auth":%q}}}`,
		base64.StdEncoding.EncodeToString([]byte("user:"+c.lay("docker configuration")))))
	documents := map[string]string{
		"registry.yaml": gateway.Registry("docker.io", host, "access: Shared",
			"credentials: {usernameFile: "+user+", passwordFile: "+password+"}", `redirectHosts: ["127.0.0.1:*"]`),
		"wrong.yaml": gateway.Registry("wrong.example.com", host, "access: Shared",
			"credentials: {usernameFile: "+user+", passwordFile: "+wrong+"}"),
		"docker.yaml": gateway.Registry("docker.example.com", host, "access: Shared",
			"credentials: {dockerConfigFile: "+docker+"}"),
		"integration.yaml": gateway.Integration(signerName, cosign.NewKey(t, cosign.Layouts()[0]).PEM(t)),
		"policy.yaml":      gateway.Policy(policyName, "InformAndEnforce", `"docker.io/**"`, []string{signerName}, "exclude: [\"docker.io/echo/**\"]"),
	}
	tokens := secret(t, "tokens", "node:"+c.lay("client token")+"\nother:"+c.lay("another client token"))
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	folder := t.TempDir() // where a core would be
	g := gateway.Start(t, documents,
		"VOUCHSAFE_CLIENT_TOKENS_FILE="+tokens, "VOUCHSAFE_AUDIT=file:"+audit, "VOUCHSAFE_LOG_LEVEL=debug",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_HEADERS=authorization="+c.lay("trace collector"),
		"HTTPS_PROXY=http://user:"+c.lay("egress proxy")+"@127.0.0.1:9", "HTTP_PROXY=http://user:"+c.lay("egress proxy")+"@127.0.0.1:9", "NO_PROXY=127.0.0.1",
		"GOTRACEBACK=crash")
	if err := os.Chdir(folder); err != nil {
		t.Fatal(err)
	}

	for repository := range moods {
		for _, registry := range []string{"docker.io", "wrong.example.com", "docker.example.com"} {
			for _, what := range []string{"manifests/1", "manifests/" + o.digest, "blobs/" + o.layer, "tags/list", "referrers/" + o.digest, "manifests/bad:digest"} {
				for _, authorization := range []string{
					"Basic " + base64.StdEncoding.EncodeToString([]byte("node:"+c.lay("client token"))),
					"Bearer " + c.lay("client token"),
					"Bearer " + c.lay("unknown client token"),
					"Basic " + base64.StdEncoding.EncodeToString([]byte("node:"+c.lay("unknown client token"))),
				} {
					c.checkAbsent(t, "an answer", say(t, g, "/v2/"+registry+"/"+repository+"/app/"+what, authorization))
				}
			}
		}
	}
	// Broken documents and a broken file of tokens make it speak too.
	g.Write(t, "wrong.yaml", strings.Replace(documents["wrong.yaml"], "access: Shared", "access: Shard", 1))
	g.Await(t, "the bad reload to be counted", func() bool { return lastReload(t, g) == "0" })
	if err := os.WriteFile(tokens, []byte("node:"+c.lay("broken client token")+" \n:"+c.lay("broken client token")), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Await(t, "the broken file of tokens to be told", func() bool { return strings.Contains(g.Log(), filepath.Base(tokens)) })
	c.checkAbsent(t, "the metrics", g.Metrics(t))
	for _, page := range []string{"/readyz?verbose", "/livez", "/startupz", "/debug/vars", "/debug/pprof/cmdline"} {
		response, err := http.Get("http://" + g.Ops + page)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.Body.Close() != nil {
			t.Fatal(err)
		}
		c.checkAbsent(t, page, string(body))
	}
	show := tool.Run(t, nil, tool.Path("vouchsafe"), "config", "show", "--config-dir", g.ConfigDir)
	c.checkAbsent(t, "config show", show.All())
	checkSilentCrash(t, g, c, folder)
	text := readFile(t, audit)
	if strings.Count(text, "\n") < 5 {
		t.Errorf("the audit file has %d records, so it shows nothing", strings.Count(text, "\n"))
	}
	c.checkAbsent(t, "the audit file", text)
	c.checkAbsent(t, "the log", g.Log())
	c.checkAbsent(t, "standard output", g.AuditText(t))
}

// checkSilentCrash lets the gateway crash as if by a bug of the runtime.
func checkSilentCrash(t *testing.T, g *gateway.Gateway, c *canaries, folder string) {
	t.Helper()
	g.Signal(t, syscall.SIGABRT)
	<-g.Ended()
	if !strings.Contains(g.Log(), "SIGABRT") {
		t.Error("the log does not show that the gateway crashed, so it shows nothing")
	}
	for _, place := range []string{folder, g.ConfigDir, "."} {
		entries, err := os.ReadDir(place)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), "core") {
				t.Errorf("the crash left %s", entry.Name())
				c.checkAbsent(t, "the core", readFile(t, filepath.Join(place, entry.Name())))
			}
		}
	}
}

// say sends a GET and returns all of the answer, its headers included.
func say(tb testing.TB, g *gateway.Gateway, path, authorization string) string {
	tb.Helper()
	conn, err := net.Dial("tcp", g.Host)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: %s\r\nConnection: close\r\n\r\n", path, authorization)
	if err != nil {
		tb.Fatal(err)
	}
	answer, _ := io.ReadAll(conn) // an answer that broke off is one too
	if len(answer) == 0 {
		tb.Errorf("no answer to %s", path)
	}
	return string(answer)
}
