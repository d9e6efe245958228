package upstream_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"vouchsafe/upstream"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const text = "canary-secret"
	secret := upstream.NewSecret(text)
	type holder struct {
		Exported upstream.Secret
		hidden   upstream.Secret
		list     []upstream.Secret
		pointer  *upstream.Secret
	}
	h := holder{secret, secret, []upstream.Secret{secret}, &secret}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]v", "%10s", "%p"} {
		for _, value := range []any{secret, &secret, h, &h, []any{secret, h}, map[string]upstream.Secret{"a": secret}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, value := range []any{secret, &secret, h, map[string]any{"a": secret}} {
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "secret", secret, "holder", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", secret, "holder", h)
	if strings.Contains(out.String(), text) || strings.Contains(out.String(), fmt.Sprintf("%x", text)) {
		t.Errorf("printed: %s", out.String())
	}
	if got := fmt.Sprint(secret); got != "[redacted]" {
		t.Errorf("got %q", got)
	}
	if secret.Reveal() != text || !(upstream.Secret{}).IsZero() || (upstream.Secret{}).Reveal() != "" {
		t.Error("a secret does not hold its text")
	}
}

func TestRegistryPrintsNoSecret(t *testing.T) {
	s := serve(t, good)
	registry, err := upstream.NewRegistry(s.host(), s.withPassword(), passwordFiles())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, registry); strings.Contains(text, secretPassword) {
			t.Errorf("%s prints the password", verb)
		}
	}
	if strings.Contains(registry.Revision(), secretPassword) {
		t.Error("the revision holds the password")
	}
}
