package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTrustThatContradictsItselfOrIsIncompleteIsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key, root, chain := recordedTrust+"k1.pub", recordedTrust+"trusted_root.json", recordedTrust+"own-chain.pem"
	for name, c := range map[string]struct {
		flags []string
		says  []string
	}{
		"a key beside an identity":          {append([]string{"--key", key}, byDeveloper...), []string{"do not go together", "SignatureIntegration"}},
		"an identity that is empty":         {[]string{"--key", key, "--certificate-identity", ""}, []string{"--certificate-identity is empty"}},
		"a trusted root that is empty":      {[]string{"--key", key, "--trusted-root", ""}, []string{"--trusted-root is empty"}},
		"no identity":                       {byDeveloper[2:], []string{"anybody's certificate would count", "--certificate-identity-regexp"}},
		"no issuer":                         {byDeveloper[:2], []string{"anybody could vouch", "--certificate-oidc-issuer", "anyIssuer"}},
		"a chain alone":                     {[]string{"--certificate-chain", chain}, []string{"no identity is named"}},
		"two identities":                    {append([]string{"--certificate-identity-regexp", ".*@corp"}, byDeveloper...), []string{"keep one of the two"}},
		"two issuers":                       {append([]string{"--certificate-oidc-issuer-regexp", "https://.*"}, byDeveloper...), []string{"keep one of the two"}},
		"the log demanded and ignored":      {[]string{"--key", key, "--tlog", "--insecure-ignore-tlog"}, []string{"contradict"}},
		"a log demanded of nobody":          {[]string{"--tlog"}, []string{"not whose", "--key FILE"}},
		"a trusted root for nobody":         {[]string{"--trusted-root", root}, []string{"not whose"}},
		"a trusted root of which no part":   {[]string{"--key", key, "--trusted-root", root}, []string{"--trusted-root " + root, "has no effect"}},
		"a trusted root that is none":       {append([]string{"--trusted-root", key, "--offline"}, byDeveloper...), []string{"--trusted-root " + key, "holds PEM"}},
		"a trusted root that is missing":    {append([]string{"--trusted-root", "none.json", "--offline"}, byDeveloper...), []string{"--trusted-root none.json", "no such file"}},
		"a chain that is a key":             {append([]string{"--certificate-chain", key}, byOwnAuthority[:4]...), []string{"--certificate-chain " + key}},
		"a chain that is empty":             {append([]string{"--certificate-chain", empty}, byOwnAuthority[:4]...), []string{"--certificate-chain " + empty, "empty"}},
		"an expression that is none":        {append([]string{"--offline", "--certificate-identity-regexp", "("}, byDeveloper[2:]...), []string{"--certificate-identity-regexp: ", "no expression (RE2)"}},
		"an expression that is anybody's":   {append([]string{"--offline", "--certificate-identity-regexp", ".*"}, byWorkflow[2:]...), []string{"--certificate-identity-regexp: "}},
		"an expression of any issuer":       {append([]string{"--offline", "--certificate-oidc-issuer-regexp", ".*"}, byDeveloper[:2]...), []string{"--certificate-oidc-issuer-regexp: "}},
		"another root without a log to ask": {append([]string{"--trusted-root", root}, byDeveloper...), []string{"--rekor-url: ", "write its URL, or --offline"}},
		"a log to ask that is never asked":  {append([]string{"--rekor-url", "https://rekor.test", "--offline"}, byDeveloper...), []string{"--rekor-url has no effect with --offline"}},
		"a log to ask for nothing":          {[]string{"--key", key, "--rekor-url", "https://rekor.test"}, []string{"--rekor-url has no effect", "add --tlog"}},
		"a log that is no URL":              {[]string{"--key", key, "--tlog", "--rekor-url", "rekor.test"}, []string{"--rekor-url: is not a URL"}},
		"with documents":                    {[]string{"--config-dir", ".", "--offline", "--key", key}, []string{"--key, --offline go without --config-dir"}},
		"a key that is a certificate":       {[]string{"--key", recordedTrust + "own-root.pem"}, []string{"--key " + recordedTrust + "own-root.pem: "}},
	} {
		t.Run(name, func(t *testing.T) {
			args := slices.Concat([]string{"verify"}, c.flags, []string{"acme.test/acme/api:1"})
			code, stdout, stderr := program(t, []string{"HOME=/nowhere"}, args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("exit code %d, printed %q", code, stdout)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("said %q, want %q", stderr, want)
				}
			}
			for _, field := range []string{"spec.", "oidcIssuer", "identityRegExp", "publicKey", "enabled:", "offline: true"} {
				if strings.Contains(stderr, field) {
					t.Errorf("speaks of %s to who wrote no document: %s", field, stderr)
				}
			}
		})
	}
}

func TestARemarkDoesNotKeepFlagsFromCounting(t *testing.T) {
	args := slices.Concat([]string{"verify", "--layout", recordedLayout, "--certificate-identity-regexp", `^dev@corp\.example`}, byDeveloper[2:], withRecorded, []string{"keyless:v1"})
	code, _, stderr := program(t, nil, args...)
	if code != exitOK || !strings.Contains(stderr, "--certificate-identity-regexp: ") || !strings.Contains(stderr, "whole string") {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
}
