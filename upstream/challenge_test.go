package upstream_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/upstream"
)

func TestParseChallenges(t *testing.T) {
	type params = map[string]string
	one := func(scheme string, p params) []upstream.Challenge {
		return []upstream.Challenge{{Scheme: scheme, Params: p}}
	}
	for _, row := range []struct {
		name, header string
		want         []upstream.Challenge
	}{
		{"a scheme alone", "Negotiate", one("negotiate", params{})},
		{"tokens and quoted strings", `BEARER Realm="https://a/t",service = b , scope="x,y z"`, one("bearer", params{"realm": "https://a/t", "service": "b", "scope": "x,y z"})},
		{"escapes", `Basic realm="a\"b\\c"`, one("basic", params{"realm": `a"b\c`})},
		{"two challenges", `Basic realm=x, Bearer realm="y"`, []upstream.Challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"realm": "y"}}}},
		{"two without parameters", `Negotiate, Basic realm=x`, []upstream.Challenge{{"negotiate", params{}}, {"basic", params{"realm": "x"}}}},
		{"empty list elements", `, Basic realm=x,, charset="UTF-8",`, one("basic", params{"realm": "x", "charset": "UTF-8"})},
		{"an empty quoted string", `Basic realm=""`, one("basic", params{"realm": ""})},
		{"nothing", "", nil},
		{"a token68", "Negotiate abc==", nil},
		{"a parameter twice", `Bearer realm="a",REALM="b"`, nil},
		{"a quoted string without end", `Bearer realm="a`, nil},
		{"an escape at the end", `Bearer realm="a\`, nil},
		{"a control character", "Bearer realm=\"a\x01b\"", nil},
		{"no value", `Bearer realm=`, nil},
		{"words behind a value", `Bearer realm="a" service="b"`, nil},
		{"a parameter without scheme", `realm="a"`, nil},
		{"too many parameters", "Bearer " + strings.Join(strings.Split("abcdefghijklmnopq", ""), "=1,") + "=1", nil},
		{"too many challenges", strings.Repeat("Basic,", 9), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, upstream.ParseChallenges(row.header)); diff != "" {
				t.Errorf("challenges (-want +got):\n%s", diff)
			}
		})
	}
	if got := upstream.ParseChallenges("a b c", "Basic realm=x"); len(got) != 1 {
		t.Errorf("one bad value of two: got %v", got)
	}
}

func FuzzParseChallenges(f *testing.F) {
	for _, s := range []string{
		`Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"`,
		`Basic realm="x", Bearer realm="y"`, `Negotiate abc==`, `,,,`, `Bearer realm="\"`, "Basic \t=", strings.Repeat("a=b,", 100),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range upstream.ParseChallenges(header) {
			if c.Scheme == "" || c.Scheme != strings.ToLower(c.Scheme) || len(c.Params) > 16 {
				t.Errorf("got %+v", c)
			}
			if realm := c.Realm(); realm != "" && !strings.HasPrefix(realm, "http://") && !strings.HasPrefix(realm, "https://") {
				t.Errorf("got the realm %q", realm)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	for _, s := range []string{
		`{"token":"a"}`, `{"access_token":"a","expires_in":300,"issued_at":"2027-01-15T08:00:00Z"}`,
		`{"token":"a","expires_in":-1}`, `{"token":"a","expires_in":1e300}`, `{"token":"a","expires_in":"x","issued_at":7}`, `[]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := upstream.ParseToken(b)
		if err == nil && (value == "" || strings.ContainsAny(value, " \r\n\x00")) {
			t.Errorf("got the token %q", value)
		}
	})
}
