package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"vouchsafe/config"
)

// newKey returns the PEM of a new public key.
func newKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func document(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %q}\nspec:\n%s", config.APIVersion, kind, name, spec)
}

func integration(name, key string) string {
	indented := strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n        ")
	return document(config.KindIntegration, name, "  publicKeys:\n    - name: main\n      key: |\n        "+indented+"\n")
}

func imagePolicy(name, signer, behavior string) string {
	return document(config.KindPolicy, name, fmt.Sprintf("  images: [\"docker.io/acme/**\"]\n  signers: [%s]\n  behavior: %s\n", signer, behavior))
}

// defaults are the settings of a process that was given none, on loopback.
func defaults(t testing.TB) config.Settings {
	t.Helper()
	settings, err := config.LoadSettings([]string{"VOUCHSAFE_LISTEN=127.0.0.1:5000"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func mustLoad(t testing.TB, dir string, opts config.LoadOptions) *config.Snapshot {
	t.Helper()
	snapshot, err := config.Load(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}
