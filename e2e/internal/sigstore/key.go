package sigstore

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// publicPEM is a public key as documents and cosign want it.
func publicPEM(tb testing.TB, key crypto.Signer) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	check(tb, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func privateDER(tb testing.TB, key crypto.Signer) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(tb, err)
	return der
}

// privatePEM is a private key as the servers read it, not encrypted.
func privatePEM(tb testing.TB, key crypto.Signer) string {
	tb.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER(tb, key)}))
}

func newEdwardsKey(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(tb, err)
	return key
}

// StrangePEM returns a public key that nothing was ever signed with: the key of
// a log that is not the one in question.
func StrangePEM(tb testing.TB) string {
	tb.Helper()
	return publicPEM(tb, newKey(tb))
}

// file writes text into a new file and returns its path.
func file(tb testing.TB, folder, name, text string) string {
	tb.Helper()
	path := filepath.Join(folder, name)
	check(tb, os.WriteFile(path, []byte(text), 0o600))
	return path
}
