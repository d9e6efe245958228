package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/verify"
)

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkix(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	return der
}

// TestNewIntegrationMistakes has the mistakes that people make with a key, and
// what they are told.
func TestNewIntegrationMistakes(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	check(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(ec)
	check(t, err)
	sec1, err := x509.MarshalECPrivateKey(ec)
	check(t, err)
	certificate, err := os.ReadFile(filepath.Join(fixtures, "trust", "own-leaf.pem"))
	check(t, err)
	public := pkix(t, ec.Public())
	good := block("PUBLIC KEY", public)
	badExponent := pkix(t, &rsa.PublicKey{N: strong.N, E: 1<<30 + 2})

	for _, c := range []struct{ name, key, message, hint string }{
		{"nothing", " \n", "the key is missing", "cosign.pub"},
		{"a certificate", string(certificate), "found a CERTIFICATE", "belongs into certificates[].chain"},
		{"a private key", block("PRIVATE KEY", private), "this is a private key: remove it and rotate it", "paste the public key (cosign.pub)"},
		{"an EC private key", block("EC PRIVATE KEY", sec1), "this is a private key", "cosign.pub"},
		{"cosign's own private key", block("ENCRYPTED SIGSTORE PRIVATE KEY", private), "this is a private key", "cosign.pub"},
		{"a private key behind a public one", good + block("PRIVATE KEY", private), "this is a private key", ""},
		{"a damaged private key", strings.TrimSuffix(block("PRIVATE KEY", private), "-----\n"), "this is a private key", ""},
		{"a private key without PEM", base64.StdEncoding.EncodeToString(private), "this is a private key", ""},
		{"a private key in base64 of its PEM", base64.StdEncoding.EncodeToString([]byte(block("PRIVATE KEY", private))), "this is a private key", ""},
		{"base64 without PEM", base64.StdEncoding.EncodeToString(public), "base64 without PEM", "-----BEGIN PUBLIC KEY-----"},
		{"PEM in base64", base64.StdEncoding.EncodeToString([]byte(good)), "PEM in base64", "base64 -d"},
		{"base64 of something", "aGVsbG8gd29ybGQ=", "base64 without PEM, and not of a public key", ""},
		{"PKCS#1", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&strong.PublicKey)), "found an RSA PUBLIC KEY (PKCS#1)", "openssl rsa -RSAPublicKey_in"},
		{"a certificate request", block("CERTIFICATE REQUEST", public), "CERTIFICATE REQUEST", "openssl req"},
		{"curve parameters", block("EC PARAMETERS", public), "EC PARAMETERS", "openssl ec"},
		{"PGP", block("PGP PUBLIC KEY BLOCK", public), "PGP", "cosign"},
		{"another type", block("SOMETHING", public), `type "SOMETHING"`, "cosign.pub"},
		{"an SSH key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@host", "SSH public key", "ssh-keygen"},
		{"two keys", good + good, "more than one PEM block", "one key per entry"},
		{"text before", "my key:\n" + good, "text around the PEM block", "BEGIN to END"},
		{"text behind", good + "my key", "text behind the PEM block", "BEGIN to END"},
		{"a header inside", strings.Replace(good, "KEY-----\n", "KEY-----\nComment: x\n\n", 1), "text around the PEM block", ""},
		{"no END line", good[:len(good)-30], "the PEM block is damaged", "END line"},
		{"a file name", "keys/cosign.pub", "names a key instead of holding it", "paste the text"},
		{"a key service", "awskms:///alias/release", "names a key instead of holding it", "paste the text"},
		{"prose", "the key of the release team", "not PEM", "cosign.pub"},
		{"not a key inside", block("PUBLIC KEY", []byte("hello")), "no public key of a known kind", "Ed25519"},
		{"P-224", block("PUBLIC KEY", pkix(t, small.Public())), "the curve P-224 is not accepted", "P-256"},
		{"RSA 1024", block("PUBLIC KEY", pkix(t, weak.Public())), "RSA of 1024 bits is not accepted", ""},
		{"an even exponent", block("PUBLIC KEY", badExponent), "exponent", ""},
		{"a mebibyte", strings.Repeat("x", 1<<20), "longer than", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := verify.NewIntegration("release", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "k", Key: c.key}}})
			fields := oci.FieldErrors(err)
			if in != nil || len(fields) != 1 || fields[0].Path != "spec.publicKeys[0].key" || fields[0].Warning {
				t.Fatalf("got %v, %v", in, err)
			}
			if !strings.Contains(fields[0].Message, c.message) || !strings.Contains(fields[0].Hint, c.hint) {
				t.Errorf("got %q (%q), want %q (%q)", fields[0].Message, fields[0].Hint, c.message, c.hint)
			}
			if len(c.key) > 60 && len(err.Error()) > 300 {
				t.Errorf("got %d characters of message", len(err.Error()))
			}
			for line := range strings.Lines(c.key) {
				if text := strings.TrimSpace(line); len(text) > 40 && strings.Contains(err.Error(), text[:20]) && !strings.HasPrefix(text, "-----") {
					t.Errorf("the message echoes the key: %s", err)
				}
			}
		})
	}
}

func TestNewIntegrationReportsAllAtOnce(t *testing.T) {
	good := newSigner(t).pem(t)
	in, err := verify.NewIntegration("release", verify.Spec{PublicKeys: []verify.PublicKeySpec{
		{Name: "a", Key: good},
		{Name: "a", Key: newSigner(t).pem(t)},
		{Name: " ", Key: "nonsense"},
		{Name: "b\nc", Key: good},
		{Name: strings.Repeat("x", 129), Key: newSigner(t).pem(t)},
	}})
	var got []string
	for _, f := range oci.FieldErrors(err) {
		got = append(got, f.Path)
	}
	want := []string{
		"spec.publicKeys[1].name", "spec.publicKeys[2].name", "spec.publicKeys[2].key",
		"spec.publicKeys[3].name", "spec.publicKeys[3].key", "spec.publicKeys[4].name",
	}
	if in != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, want %v\n%v", got, want, err)
	}
}

func TestNewIntegrationWithoutKeys(t *testing.T) {
	in, err := verify.NewIntegration("release", verify.Spec{})
	fields := oci.FieldErrors(err)
	if in != nil || len(fields) != 1 || fields[0].Path != "spec.publicKeys" || !strings.Contains(err.Error(), "at least one public key") {
		t.Errorf("got %v, %v", in, err)
	}
}

func TestNewIntegrationWarnsOfTheSameKeyTwice(t *testing.T) {
	key := newSigner(t).pem(t)
	in, err := verify.NewIntegration("release", verify.Spec{PublicKeys: []verify.PublicKeySpec{
		{Name: "a", Key: key}, {Name: "b", Key: key + " \n\n"},
	}})
	fields := oci.FieldErrors(err)
	if in == nil || len(fields) != 1 || !fields[0].Warning || fields[0].Path != "spec.publicKeys[1].key" {
		t.Errorf("got %v, %v; want an integration and a warning", in, err)
	}
}

func TestNewIntegrationAcceptsEveryKind(t *testing.T) {
	for kind, s := range allKinds(t) {
		if _, err := verify.NewIntegration("x", verify.Spec{PublicKeys: []verify.PublicKeySpec{{Name: "k", Key: "\n" + s.pem(t) + "\n"}}}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestRevision(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	a := verify.PublicKeySpec{Name: "a", Key: block("PUBLIC KEY", pkix(t, public))}
	b := verify.PublicKeySpec{Name: "b", Key: newSigner(t).pem(t)}
	of := func(name string, keys ...verify.PublicKeySpec) string {
		in, err := verify.NewIntegration(name, verify.Spec{PublicKeys: keys})
		check(t, err)
		return in.Revision()
	}
	base := of("x", a, b)
	spaced := a
	spaced.Key = "\n" + a.Key + "\n\n"
	renamed := a
	renamed.Name = "c"
	for name, c := range map[string]struct {
		got  string
		same bool
	}{
		"another name of the integration": {of("y", a, b), true},
		"another order":                   {of("x", b, a), true},
		"another layout of the PEM":       {of("x", spaced, b), true},
		"a key fewer":                     {of("x", a), false},
		"a key renamed":                   {of("x", renamed, b), false},
	} {
		if (c.got == base) != c.same {
			t.Errorf("%s: same revision is %v, want %v", name, c.got == base, c.same)
		}
	}
}

func TestWants(t *testing.T) {
	var keys []verify.PublicKeySpec
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		keys = append(keys, verify.PublicKeySpec{Name: name, Key: newSigner(t).pem(t)})
	}
	for n, want := range map[int]string{1: "a", 5: "a, b, c, d, e", 7: "a, b, c, d, e and 2 more"} {
		in, err := verify.NewIntegration("x", verify.Spec{PublicKeys: keys[:n]})
		check(t, err)
		if in.Wants() != want || in.Name() != "x" {
			t.Errorf("got %q of %q, want %q", in.Wants(), in.Name(), want)
		}
	}
}
