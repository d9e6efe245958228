package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestAnEgressProxyThatIsNoneIsAMistakeThatNamesNoPassword(t *testing.T) {
	environ := []string{"HTTPS_PROXY=socks5://user:hunter2@proxy.test", "HOME=" + t.TempDir()}
	for _, args := range [][]string{
		{"verify", "--plain-http", "127.0.0.1:1/acme/api:1"},
		{"check", "127.0.0.1:1/acme/api:1"},
	} {
		code, stdout, stderr := program(t, environ, args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, "HTTPS_PROXY") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: exit code %d, printed %q, said %q", args[0], code, stdout, stderr)
		}
	}
	// Nobody is asked about what is in a folder.
	code, _, stderr := program(t, environ, "verify", "--layout", savedLayouts+"cosign2", "--key", savedLayouts+"cosign.pub")
	if code != exitOK {
		t.Errorf("exit code %d: %s", code, stderr)
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
		"on loopback nothing":   {"127.0.0.1:0", nil, ""},
		"plain HTTP on all":     {":0", nil, "plain HTTP on an address that is not loopback: LISTEN :0"},
		"a proxy with a secret": {"127.0.0.1:0", []string{"https_proxy=http://u:hunter2@proxy.test"}, ""},
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
