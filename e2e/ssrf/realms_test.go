package ssrf

import (
	"fmt"
	"net/http"
	"strings"
)

// realms are token services that registries name.
func realms() []row {
	bearer := func(realm string) func(*world, row) []string {
		return func(w *world, r row) []string {
			return []string{fmt.Sprintf(`Bearer realm="%s",service="s"`, strings.NewReplacer("ORIGIN", w.origin, "ID", r.id).Replace(realm))}
		}
	}
	own := "http://ORIGIN/ID/token"
	rows := []row{
		{name: "a realm at the registry itself", challenge: bearer(own), status: http.StatusOK},
		{name: "a realm with TLS at the registry's own port", challenge: bearer("https://ORIGIN/ID/token")},
		{name: "a realm with a user name", challenge: bearer("http://user:password@ORIGIN/ID/token")},
		{name: "a realm that redirects to loopback", challenge: bearer(own), tokenTo: "http://127.0.0.1:" + canaryPort + "/token"},
		{name: "a realm that redirects to a metadata service", challenge: bearer(own), tokenTo: "http://169.254.169.254/token"},
		{name: "a realm that redirects to a public host", challenge: bearer(own), tokenTo: "http://public.test:" + canaryPort + "/token", atPublic: true},
		{name: "two challenges, the first elsewhere", challenge: func(w *world, r row) []string {
			return append(bearer("http://127.0.0.1:"+canaryPort+"/token")(w, r), bearer(own)(w, r)...)
		}, status: http.StatusOK},
		{name: "two challenges in one header, the second elsewhere", challenge: func(w *world, r row) []string {
			return []string{bearer(own)(w, r)[0] + ", " + bearer("http://127.0.0.1:"+canaryPort+"/token")(w, r)[0]}
		}, status: http.StatusOK},
		{name: "one challenge with two realms", challenge: func(w *world, r row) []string {
			return []string{bearer(own)(w, r)[0] + `,realm="http://127.0.0.1:` + canaryPort + `/token"`}
		}},
		{name: "a realm elsewhere beside Basic", challenge: func(w *world, r row) []string {
			return append(bearer("http://public.test:"+canaryPort+"/token")(w, r), "Basic realm=x")
		}},
		{name: "a named token host that leads to link-local", challenge: bearer("http://metadata.test/token"), spec: []string{`tokenHosts: ["metadata.test:80"]`}},
		{name: "a named token host at another port", challenge: bearer("http://127.0.0.1:" + canaryPort + "/token"), spec: []string{`tokenHosts: ["127.0.0.1:1234"]`}},
		{name: "a challenge behind a redirect", respond: to("manifests", "http://public.test:"+canaryPort+"/to/"), atPublic: true},
	}
	for _, realm := range []string{
		"http://127.0.0.1:" + canaryPort + "/token", "http://localhost:" + canaryPort + "/token", "http://169.254.169.254/token", "http://public.test:" + canaryPort + "/token", "https://public.test/token", "http://[::1]:" + canaryPort + "/token",
		"http://2130706433:" + canaryPort + "/token", "//127.0.0.1:" + canaryPort + "/token", "/ID/token", "file:///etc/passwd", "gopher://127.0.0.1:" + redisPort + "/_", "http:127.0.0.1:" + canaryPort, "http://ORIGIN.evil.test/token", "http://ORIGIN@public.test:" + canaryPort + "/token", "",
	} {
		rows = append(rows, row{name: fmt.Sprintf("a realm written %q", realm), challenge: bearer(realm)})
	}
	return rows
}

// links name a next page, of referrers and of tags.
func links() []row {
	link := func(part, target string) func(*world, http.ResponseWriter, *http.Request) bool {
		return func(w *world, rw http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, part) && r.URL.RawQuery != "page=2" {
				rw.Header().Set("Link", "<"+strings.NewReplacer("ORIGIN", w.origin, "PATH", r.URL.Path).Replace(target)+`>; rel="next"`)
			}
			return false
		}
	}
	referrers := "app/referrers/" + bodyDigest()
	rows := []row{
		{name: "a link to the next page", ask: referrers, respond: link("/referrers/", "PATH?page=2"), status: http.StatusOK},
		{name: "a link to the next page, with its host", ask: referrers, respond: link("/referrers/", "http://ORIGINPATH?page=2"), status: http.StatusOK},
	}
	for _, target := range []string{
		"http://127.0.0.1:" + canaryPort + "PATH", "http://public.test:" + canaryPort + "PATH", "//127.0.0.1:" + canaryPort + "PATH", "//public.test:" + canaryPort + "PATH", "http://169.254.169.254/latest/meta-data/", "/stolen", "../../../stolen", "PATH/../../stolen",
		"http://user:password@ORIGINPATH", "https://public.testPATH", "file:///stolen", "http://2130706433:" + canaryPort + "PATH",
	} {
		rows = append(rows,
			row{name: fmt.Sprintf("a link of referrers to %q", target), ask: referrers, respond: link("/referrers/", target), never: "stolen"},
			// The answer about a page of tags names the next by the gateway itself.
			row{name: fmt.Sprintf("a link of tags to %q", target), ask: "app/tags/list?n=1", respond: link("/tags/", target), status: http.StatusOK, never: canaryPort},
			row{name: fmt.Sprintf("a link of the signatures of an image to %q", target), respond: link("/referrers/", target), status: anyStatus, never: "stolen"},
		)
	}
	return rows
}
