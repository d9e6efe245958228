package sigstore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vouchsafe/e2e/internal/tool"
)

// Trust is what goes into a trusted root. A part that is empty is left out.
type Trust struct {
	// Fulcio and Stamps are chains, PEM, the root last; the others are keys.
	Fulcio, Stamps, CertificateLog, Rekor, Tiles string
}

// Trust is all of the stack.
func (s *Stack) Trust(tb testing.TB) Trust {
	tb.Helper()
	return Trust{
		Fulcio:         s.Fulcio.Chain(),
		Stamps:         s.Stamper.Chain(),
		CertificateLog: s.CertificateLogKey(tb),
		Rekor:          s.RekorKey(tb),
		Tiles:          publicPEM(tb, s.tiles),
	}
}

// TrustedRoot has cosign write a trusted root and returns its JSON.
func (s *Stack) TrustedRoot(tb testing.TB, trust Trust) string {
	tb.Helper()
	folder := tb.TempDir()
	start := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	out := filepath.Join(folder, "trusted_root.json")
	args := []string{"trusted-root", "create", "--out", out}
	for _, part := range []struct{ flag, pem, value string }{
		{"--fulcio", trust.Fulcio, "url=" + s.FulcioURL + ",certificate-chain="},
		{"--tsa", trust.Stamps, "url=" + s.StampURL + ",certificate-chain="},
		{"--ctfe", trust.CertificateLog, "url=" + s.CertificateLogURL + ",start-time=" + start + ",public-key="},
		{"--rekor", trust.Rekor, "url=" + s.RekorURL + ",start-time=" + start + ",public-key="},
		{"--rekor", trust.Tiles, "url=" + s.Rekor2URL + ",origin=127.0.0.1,start-time=" + start + ",public-key="},
	} {
		if part.pem != "" {
			args = append(args, part.flag, part.value+file(tb, folder, fmt.Sprintf("%d.pem", len(args)), part.pem))
		}
	}
	tool.MustRun(tb, nil, tool.Path("cosign3"), args...)
	text, err := os.ReadFile(out) //nolint:gosec // written just now
	check(tb, err)
	return string(text)
}

// instruct has cosign write where it is to sign, for each log that there is, and
// what of this stack is trusted.
func (s *Stack) instruct(tb testing.TB) {
	tb.Helper()
	s.root = file(tb, s.folder, "trusted_root.json", s.TrustedRoot(tb, s.Trust(tb)))
	s.configs = map[Rekor]string{}
	for _, version := range []Rekor{Unlogged, RekorV1, RekorV2} {
		s.configs[version] = s.signingConfig(tb, version)
	}
	s.environment = []string{
		"SIGSTORE_REKOR_PUBLIC_KEY=" + file(tb, s.folder, "rekor.pub", s.RekorKey(tb)),
		"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=" + file(tb, s.folder, "certificate-log.pub", s.CertificateLogKey(tb)),
		"SIGSTORE_ROOT_FILE=" + file(tb, s.folder, "fulcio.pem", s.Fulcio.Chain()),
	}
}

// signingConfig writes one signing configuration and returns its path.
func (s *Stack) signingConfig(tb testing.TB, log Rekor) string {
	tb.Helper()
	out := filepath.Join(s.folder, fmt.Sprintf("signing_config_%d.json", log))
	args := []string{"signing-config", "create", "--out", out}
	service := func(url string, version int) string {
		return fmt.Sprintf("url=%s,api-version=%d,start-time=%s,operator=e2e", url, version, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	}
	if log != Unlogged {
		args = append(args,
			"--fulcio", service(s.FulcioURL, 1), "--oidc-provider", service(s.Issuers.People, 1),
			"--tsa", service(s.StampURL, 1), "--tsa-config", "ANY",
			"--rekor", service(map[Rekor]string{RekorV1: s.RekorURL, RekorV2: s.Rekor2URL}[log], int(log)), "--rekor-config", "ANY")
	}
	tool.MustRun(tb, nil, tool.Path("cosign3"), args...)
	return out
}
