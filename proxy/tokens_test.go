package proxy_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vouchsafe/proxy"
)

const (
	nodeToken = "node-7-secret-0123456789"
	ciToken   = "ci:secret:0123456789abcd" // a colon belongs to the token
)

const tokenFile = "# nodes\r\nnode-7:" + nodeToken + "\r\n\n  \nci.main:" + ciToken

func tokens(t *testing.T, text string) *proxy.Tokens {
	t.Helper()
	parsed, err := proxy.ParseTokens([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestParseTokens(t *testing.T) {
	if got := tokens(t, tokenFile).Len(); got != 2 {
		t.Errorf("got %d tokens, want 2", got)
	}
	secret := "0123456789abcdef"
	many := func(n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "n%d:%s%06d\n", i, secret, i)
		}
		return text.String()
	}
	for name, test := range map[string]struct{ text, want string }{
		"a name of 64 and a token of 16 characters":   {strings.Repeat("n", 64) + ":" + secret, ""},
		"a token of 512 characters":                   {"n:" + strings.Repeat("t", 512), ""},
		"10,000 lines":                                {many(10_000), ""},
		"10,001 lines":                                {many(10_001), "more than 10000 lines"},
		"1 MiB of comments and a token":               {strings.Repeat("#\n", 9000) + "n:" + secret + "\n#" + strings.Repeat("x", 1<<20-18000-len("n:"+secret+"\n#")), ""},
		"more than 1 MiB":                             {"n:" + secret + "\n#" + strings.Repeat("x", 1<<20), "more than 1048576 bytes"},
		"nothing":                                     {"", "there is none"},
		"comments alone":                              {"# n:" + secret, "there is none"},
		"a byte order mark":                           {"\ufeffn:" + secret, "line 1: begins with a byte order mark"},
		"a line without a name":                       {"n:" + secret + "x\n" + secret, "line 2: is not name:token"},
		"an empty name":                               {":" + secret, "line 1: the name must be"},
		"a name of 65 characters":                     {strings.Repeat("n", 65) + ":" + secret, "line 1: the name must be"},
		"a name with a space":                         {" n:" + secret, "line 1: the name must be"},
		"a name that is not ASCII":                    {"né:" + secret, "line 1: the name must be"},
		"a token of 15 characters":                    {"n:" + secret[:15], "line 1: the token must have 16 to 512 characters"},
		"a token of 513 characters":                   {"n:" + strings.Repeat("t", 513), "line 1: the token must have 16 to 512 characters"},
		"a token with a space at its end":             {"n:" + secret + " ", "line 1: the token must be of printable ASCII"},
		"a token that is not ASCII":                   {"n:" + secret + "é", "line 1: the token must be of printable ASCII"},
		"a token with a NUL":                          {"n:" + secret + "\x00", "line 1: the token must be of printable ASCII"},
		"a carriage return inside":                    {"n:" + secret + "\rm:" + secret, "line 1: the token must be of printable ASCII"},
		"a name twice":                                {"n:" + secret + "\n\nn:" + secret + "x", "line 3: the name is there before"},
		"a token twice, so that Bearer is two people": {"n:" + secret + "\nm:" + secret, "line 2: the token is there before"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := proxy.ParseTokens([]byte(test.text))
			if test.want == "" {
				if err != nil || got.Len() == 0 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, proxy.ErrTokens) || !strings.Contains(err.Error(), test.want) || got != nil {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), secret[:15]) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestAuthenticate(t *testing.T) {
	known := tokens(t, tokenFile)
	for name, test := range map[string]struct {
		headers []string
		want    string
	}{
		"the token as a password":                {[]string{basic("node-7", nodeToken)}, "node-7"},
		"a token with colons as a password":      {[]string{basic("ci.main", ciToken)}, "ci.main"},
		"the token as a bearer's":                {[]string{"Bearer " + ciToken}, "ci.main"},
		"a scheme in other letters":              {[]string{"bEaReR " + nodeToken}, "node-7"},
		"no header":                              {nil, ""},
		"an empty header":                        {[]string{""}, ""},
		"a scheme alone":                         {[]string{"Basic"}, ""},
		"a bearer without a token":               {[]string{"Bearer "}, ""},
		"another's token":                        {[]string{basic("node-7", ciToken)}, ""},
		"a user that is not known":               {[]string{basic("root", nodeToken)}, ""},
		"a user that is not known, and no token": {[]string{basic("root", "")}, ""},
		"no user":                                {[]string{basic("", nodeToken)}, ""},
		"the token as the user":                  {[]string{basic(nodeToken, "")}, ""},
		"no password":                            {[]string{basic("node-7", "")}, ""},
		"a beginning of the token":               {[]string{basic("node-7", nodeToken[:20])}, ""},
		"the token with more behind":             {[]string{"Bearer " + nodeToken + "x"}, ""},
		"the token behind two spaces":            {[]string{"Bearer  " + nodeToken}, ""},
		"no base64":                              {[]string{"Basic " + nodeToken}, ""},
		"another scheme":                         {[]string{"Digest " + nodeToken}, ""},
		"two headers, one of them right":         {[]string{basic("node-7", nodeToken), basic("node-7", "x")}, ""},
		"the right header twice":                 {[]string{basic("node-7", nodeToken), basic("node-7", nodeToken)}, ""},
		"a header over 4 KiB":                    {[]string{"Bearer " + strings.Repeat("x", 4<<10)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/v2/", http.NoBody)
			r.Header["Authorization"] = test.headers
			if got, ok := known.Authenticate(r); got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %t, want %q", got, ok, test.want)
			}
			for name, none := range map[string]*proxy.Tokens{"no tokens": nil, "the zero value": {}} {
				if got, ok := none.Authenticate(r); ok || got != "" {
					t.Errorf("%s: let %q in", name, got)
				}
			}
		})
	}
}

func TestClientTokenIsDemandedBeforeAnythingIsAsked(t *testing.T) {
	var log bytes.Buffer
	current := tokens(t, tokenFile)
	w := newWorld(t, func(_ *world, cfg *proxy.Config) {
		cfg.Tokens = func() *proxy.Tokens { return current }
		cfg.Log = slog.New(slog.NewJSONHandler(&log, nil))
	})
	const manifest = "/v2/docker.io/acme/api/manifests/1.0"
	for name, test := range map[string]struct {
		method, target string
		headers        []string
		status         int
		code, text     string
	}{
		"the version check without a token":    {"GET", "/v2/", nil, 401, "UNAUTHORIZED", "a client token is needed"},
		"a manifest without a token":           {"GET", manifest, nil, 401, "UNAUTHORIZED", "a client token is needed"},
		"a blob without a token":               {"GET", "/v2/docker.io/acme/api/blobs/" + blobDigest.String(), nil, 401, "UNAUTHORIZED", "a client token is needed"},
		"tags without a token":                 {"GET", "/v2/docker.io/acme/api/tags/list", nil, 401, "UNAUTHORIZED", "a client token is needed"},
		"an unlisted registry without a token": {"GET", "/v2/other.example/a/manifests/1", nil, 401, "UNAUTHORIZED", "a client token is needed"},
		"no name at all without a token":       {"GET", "/v2/%00", nil, 401, "UNAUTHORIZED", "a client token is needed"},
		"a wrong token":                        {"GET", manifest, []string{"Authorization", basic("node-7", "wrong-0123456789ab")}, 401, "UNAUTHORIZED", "the client token is not known"},
		"a write, which nobody may":            {"PUT", manifest, nil, 405, "UNSUPPORTED", "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.do(t, test.method, test.target, test.headers...)
			wantError(t, got, test.status, test.code, test.text)
			challenge := ""
			if test.status == 401 {
				challenge = `Basic realm="vouchsafe"`
			}
			wantHeader(t, got, "WWW-Authenticate", challenge)
			if calls := w.calls(); calls != "" {
				t.Errorf("asked %s", calls)
			}
		})
	}
	t.Run("with a token", func(t *testing.T) {
		if got := w.do(t, "GET", "/v2/", "Authorization", "Bearer "+ciToken); got.status != 200 {
			t.Errorf("got %d %s", got.status, got.body)
		}
		got := w.do(t, "GET", manifest, "Authorization", basic("node-7", nodeToken))
		if got.status != 200 || got.body != string(manifestBytes) {
			t.Errorf("got %d %s", got.status, got.body)
		}
		if user := w.decider.last.Client.User; user != "node-7" {
			t.Errorf("the decider was told of user %q", user)
		}
	})
	t.Run("a token that was taken away", func(t *testing.T) {
		current = tokens(t, "ci.main:"+ciToken)
		got := w.do(t, "GET", manifest, "Authorization", basic("node-7", nodeToken))
		wantError(t, got, 401, "UNAUTHORIZED", "the client token is not known")
	})
	t.Run("tokens that are not there let nobody in", func(t *testing.T) {
		current = nil
		got := w.do(t, "GET", manifest, "Authorization", basic("node-7", nodeToken))
		wantError(t, got, 401, "UNAUTHORIZED", "the client token is not known")
	})
	if !strings.Contains(log.String(), `"user":"node-7"`) {
		t.Errorf("the log does not name the user: %s", &log)
	}
	for _, secret := range []string{nodeToken, ciToken, "wrong-0123456789ab", "Basic ", "Bearer ", strings.TrimPrefix(basic("node-7", nodeToken), "Basic ")} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, &log)
		}
	}
}

func TestHeadWithoutATokenIsChallenged(t *testing.T) {
	current := tokens(t, tokenFile)
	w := newWorld(t, func(_ *world, cfg *proxy.Config) {
		cfg.Tokens = func() *proxy.Tokens { return current }
	})
	got := w.do(t, http.MethodHead, "/v2/docker.io/acme/api/manifests/1.0")
	if got.status != 401 || got.header.Get("WWW-Authenticate") == "" || got.body != "" {
		t.Errorf("got %d %v %q", got.status, got.header, got.body)
	}
}

func FuzzParseTokens(f *testing.F) {
	f.Add([]byte(tokenFile), "Basic bm9kZS03Og==")
	f.Add([]byte("a:\x00\r\n#"), "Bearer x")
	f.Fuzz(func(t *testing.T, file []byte, header string) {
		parsed, err := proxy.ParseTokens(file)
		if (parsed == nil) == (err == nil) {
			t.Fatalf("got %v, %v", parsed, err)
		}
		r := httptest.NewRequest(http.MethodGet, "/v2/", http.NoBody)
		r.Header["Authorization"] = []string{header}
		if name, ok := parsed.Authenticate(r); ok && !bytes.Contains(file, []byte(name+":")) {
			t.Fatalf("let %q in", name)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	parsed, err := proxy.ParseTokens([]byte(tokenFile))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/v2/", http.NoBody)
	r.Header.Set("Authorization", basic("node-7", nodeToken))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parsed.Authenticate(r); !ok {
			b.Fatal("not let in")
		}
	}
	_, _ = io.WriteString(io.Discard, parsed.String())
}
