package upstream_test

import (
	"net/url"
	"strings"
	"testing"

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
