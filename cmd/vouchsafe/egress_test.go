package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

func TestProxyWarning(t *testing.T) {
	const rest = "; egress proxies are not supported yet: registries are asked directly"
	for name, tc := range map[string]struct {
		environ []string
		want    string
	}{
		"none":                 {[]string{"NO_PROXY=*", "PATH=/bin"}, ""},
		"an empty one is none": {[]string{"HTTPS_PROXY="}, ""},
		"one":                  {[]string{"HTTPS_PROXY=http://u:hunter2@proxy.test"}, "HTTPS_PROXY is set" + rest},
		"in lower case":        {[]string{"all_proxy=socks5://proxy.test"}, "all_proxy is set" + rest},
		"several":              {[]string{"HTTP_PROXY=http://proxy.test", "HTTPS_PROXY=http://proxy.test"}, "HTTPS_PROXY, HTTP_PROXY are set" + rest},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&app{environ: tc.environ}).proxyWarning(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCommandsSayOnceThatAProxyIsNotUsed(t *testing.T) {
	key := t.TempDir() + "/cosign.pub"
	if err := os.WriteFile(key, []byte("-----BEGIN PUBLIC KEY-----\n"+
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvXWiRyvmWMYZwTJ4Xyc0ZyaydVrI\n"+
		"MU4xNdxF20mvfKfpw35ntU9g3jTDFfm63NGMjerrpwREQyK8MN79EM7DYw==\n-----END PUBLIC KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", "--plain-http", "--key", key, "127.0.0.1:1/acme/api:1", "127.0.0.1:1/acme/web:1"},
		{"check", "127.0.0.1:1/acme/api:1"},
	} {
		environ := []string{"HTTPS_PROXY=http://proxy.test", "HOME=" + t.TempDir()}
		_, stdout, stderr := program(t, environ, args...)
		if n := strings.Count(stderr, "warning: HTTPS_PROXY is set"); n != 1 || strings.Contains(stdout, "HTTPS_PROXY") {
			t.Errorf("%s: said %d times: %q", args[0], n, stderr)
		}
	}
}

// untilServing is a log that ends the program once it serves.
type untilServing struct {
	bytes.Buffer
	end context.CancelFunc
}

func (u *untilServing) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"msg":"serving"`)) {
		u.end()
	}
	return u.Buffer.Write(b)
}

func TestServeSaysOnceWhatIsNotProtected(t *testing.T) {
	for name, tc := range map[string]struct {
		listen  string
		environ []string
		want    string // the one warning besides that of no documents
	}{
		"on loopback nothing":      {"127.0.0.1:0", nil, ""},
		"plain HTTP on all":        {":0", nil, "plain HTTP on an address that is not loopback: LISTEN :0"},
		"a proxy that is not used": {"127.0.0.1:0", []string{"https_proxy=http://u:hunter2@proxy.test"}, "https_proxy is set; egress proxies are not supported yet"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log := &untilServing{end: cancel}
			args := []string{"serve", "--listen", tc.listen, "--ops-listen", "127.0.0.1:0"}
			if code := run(ctx, args, strings.NewReader(""), &bytes.Buffer{}, log, tc.environ); code != exitOK {
				t.Fatalf("exit code %d: %s", code, log)
			}
			warnings := strings.Count(log.String(), `"level":"WARN"`) - strings.Count(log.String(), "nothing is enforced")
			if want := min(1, len(tc.want)); warnings != want || !strings.Contains(log.String(), tc.want) {
				t.Errorf("%d warnings, want %d of %q:\n%s", warnings, want, tc.want, log)
			}
			if strings.Contains(log.String(), "hunter2") {
				t.Error("a password was printed")
			}
		})
	}
}
