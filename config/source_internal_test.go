package config

import (
	"strings"
	"testing"
)

func TestNothingSecretIsShown(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain text", "  images: [docker.io/acme/**]", "  images: [docker.io/acme/**]"},
		{"a password", "  password: hunter2", "  password: …"},
		{"a quoted password", `  "password": "hunter2"`, `  "password": …`},
		{"a token in a flow block", "  x: {apiToken: hunter2, y: z}", "  x: {apiToken: …"},
		{"the name of a file is no secret", "  passwordFile: secrets/password", "  passwordFile: secrets/password"},
		{"a list of hosts is no secret", "  tokenHosts: [auth.example.com]", "  tokenHosts: [auth.example.com]"},
		{"a secret behind a file name", "  {passwordFile: x, password: hunter2}", "  {passwordFile: x, password: …"},
		{"a user in a URL", "  endpoint: https://robot:hunter2@r.example.com", "  endpoint: https://…@r.example.com"},
		{"long base64", "  key: MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvXWiRyvmWMYZwTJ4Xyc0", "  key: …"},
		{"a line of base64", "    bm90IGEgcmVhbCBwcml2YXRlIGtleQ==", ""},
		{"a digest is no secret", "  - docker.io/a@sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0", "  - docker.io/a@sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"},
		{"a long name is no secret", "  - docker.io/platform/production/services/billing/api", "  - docker.io/platform/production/services/billing/api"},
		{"control characters", "  a: \x1b[31mred\u009b", "  a: ?[31mred?"},
		{"a very long line", strings.Repeat("a b ", 100), strings.Repeat("a b ", 40) + hidden},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &sourceFile{lines: []string{test.text}}
			if got := s.line(1); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestNoLineOfAPrivateKeyIsShown(t *testing.T) {
	s := &sourceFile{lines: strings.Split("key: |\n  -----BEGIN EC PRIVATE KEY-----\n  c2hvcnQ=\n  -----END EC PRIVATE KEY-----\nnext: x", "\n")}
	want := []string{"key: |", "", "", "", "next: x"}
	for i, w := range want {
		if got := s.line(i + 1); got != w {
			t.Errorf("line %d: got %q, want %q", i+1, got, w)
		}
	}
	if s.line(0) != "" || s.line(6) != "" {
		t.Error("a line that is not there is shown")
	}
}
