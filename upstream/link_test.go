package upstream_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestNextLink(t *testing.T) {
	for _, row := range []struct{ name, header, want string }{
		{"none", "", ""},
		{"quoted", `</a>; rel="next"`, "/a"},
		{"a token", `</a>;rel=next`, "/a"},
		{"several relations", `</a>; rel="last NEXT"`, "/a"},
		{"behind another", `</a>; rel=prev, </b>; title="x, y"; rel=next`, "/b"},
		{"commas in the target", `</a,b>; rel=next`, "/a,b"},
		{"no relation", `</a>`, ""},
		{"a flag", `</a>; x; rel=next`, "/a"},
		{"no target", `rel=next`, ""},
		{"a target without end", `</a; rel=next`, ""},
		{"a bad parameter", `</a>; =x; rel=next`, ""},
		{"too long", `</` + strings.Repeat("a", 9000) + `>; rel=next`, ""},
		{"too many parameters", `</a>` + strings.Repeat("; x", 20) + `; rel=next`, ""},
	} {
		if got := upstream.NextLink([]string{row.header}); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	if got := upstream.NextLink([]string{"bad", "</a>; rel=next"}); got != "/a" {
		t.Errorf("two values: got %q", got)
	}
}

// TestLinksElsewhereAreNotFollowed: what stands there nobody knows, which is
// something else than more than is read.
func TestLinksElsewhereAreNotFollowed(t *testing.T) {
	canary := serve(t, good)
	for _, row := range []struct{ name, link string }{
		{"another host", canary.URL + referrersPath() + "?p=2"},
		{"another host without a scheme", "//" + canary.host() + referrersPath()},
		{"another path", "/v2/other/referrers/" + subject.String()},
		{"a path that climbs", "../../../secret"},
		{"a scheme that is no web", "ftp://" + canary.host() + referrersPath()},
		{"no URL", "::"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) { page(w, row.link, entry("a")) })
			got, err := open(t, s.host(), s.spec(), nil).Referrers(t.Context(), s.repository(), subject)
			wantCode(t, err, oci.CodeUpstream, "link")
			if n := len(s.take()); n != 1 || len(got.Manifests) != 0 {
				t.Errorf("got %d requests, %v", n, got)
			}
		})
	}
	t.Run("behind a redirect", func(t *testing.T) {
		elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) { page(w, "?p=2", entry("a")) })
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		})
		spec := s.spec()
		spec.RedirectHosts = []string{elsewhere.host()}
		_, err := open(t, s.host(), spec, nil).Referrers(t.Context(), s.repository(), subject)
		wantCode(t, err, oci.CodeUpstream, "link")
		if n := len(elsewhere.take()); n != 1 {
			t.Errorf("got %d requests behind the redirect, want 1", n)
		}
	})
	if got := canary.lines(); len(got) != 0 {
		t.Errorf("canary was asked: %v", got)
	}
}

// TestLinkOfTheOtherScheme is a registry behind something that speaks TLS for
// it, and one that thinks so: only the query of what it names is taken.
func TestLinkOfTheOtherScheme(t *testing.T) {
	var s *server
	handle := func(scheme string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" {
				page(w, "", entry("b"))
				return
			}
			page(w, scheme+"://"+s.host()+referrersPath()+"?p=2#x", entry("a"))
		}
	}
	two := func(spec upstream.Spec, read upstream.Files) {
		t.Helper()
		got, err := open(t, s.host(), spec, read).Referrers(t.Context(), s.repository(), subject)
		if err != nil || got.Truncated || len(got.Manifests) != 2 {
			t.Errorf("got %d referrers, truncated %v, %v", len(got.Manifests), got.Truncated, err)
		}
		if diff := cmp.Diff([]string{"GET " + referrersPath(), "GET " + referrersPath() + "?p=2"}, s.lines()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	}
	s = serve(t, handle("https"))
	two(s.spec(), nil)
	s = serveTLS(t, handle("http"))
	spec := s.spec()
	spec.CAFile = "ca.pem"
	two(spec, files(map[string]string{"ca.pem": s.certificate()}))
}

func TestNextPage(t *testing.T) {
	const at = "/v2/a/referrers/x"
	for _, row := range []struct{ base, link, want string }{
		{"https://h" + at, "http://h" + at + "?n=1", "https://h" + at + "?n=1"},
		{"https://h" + at, "http://h:80" + at + "?n=1", "https://h" + at + "?n=1"},
		{"https://h" + at, "http://h:443" + at + "?n=1", "https://h" + at + "?n=1"},
		{"https://h:8443" + at, "http://H:8443" + at + "?n=1", "https://h:8443" + at + "?n=1"},
		{"http://h" + at, "https://h" + at + "?n=1", "http://h" + at + "?n=1"},
		{"https://h" + at + "?m=1", "?n=1", "https://h" + at + "?n=1"},
		{"https://h" + at, "http://h:8080" + at + "?n=1", ""},
		{"https://h:8443" + at, "http://h" + at + "?n=1", ""},
		{"https://h" + at, "http://i" + at + "?n=1", ""},
		{"https://h" + at, "http://u@h" + at + "?n=1", ""},
		{"https://h" + at, "http:" + at + "?n=1", ""},
		{"https://h" + at, "ws://h" + at + "?n=1", ""},
	} {
		base, err := url.Parse(row.base)
		if err != nil {
			t.Fatal(err)
		}
		next, found, allowed := upstream.NextPage(base, []string{"<" + row.link + ">; rel=next"})
		got := ""
		if next != nil {
			got = next.String()
		}
		if got != row.want || !found || allowed != (row.want != "") {
			t.Errorf("%s from %s: got %q, found %v, allowed %v; want %q", row.link, row.base, got, found, allowed, row.want)
		}
	}
}

func FuzzNextPage(f *testing.F) {
	for _, s := range []string{
		`</v2/a/referrers/x?n=1>; rel="next"`, `<?n=1>; rel=next`, `<//evil/v2/a/referrers/x>; rel=next`, `<http://u:p@h/v2/a/referrers/x>; rel=next`,
		`<HTTPS://H:443/v2/a/referrers/x?y>; rel=next`, `<\\evil>; rel=next`, `<%2e%2e/x>; rel=next`,
	} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "h", Path: "/v2/a/referrers/x"}
	f.Fuzz(func(t *testing.T, header string) {
		next, found, allowed := upstream.NextPage(base, []string{header})
		if !allowed {
			if next != nil {
				t.Errorf("%q: not allowed, but %s", header, next)
			}
			return
		}
		if !found || next.Path != base.Path || !strings.EqualFold(next.Hostname(), "h") || next.User != nil || next.Scheme != "https" {
			t.Errorf("%q leads to %s", header, next)
		}
	})
}
