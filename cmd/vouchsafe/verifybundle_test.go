package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vouchsafe/verify"
)

const (
	bundles = "testdata/bundles/"
	// The packages that the recorded bundles are about.
	provenanceOf    = "sha512:46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c"
	oldProvenanceOf = "sha512:bbfd372fc9beeb777fe35d05bb10c0c70a9733d366a75fed7dd18866c7391de3ee7e88ba74dd47abf3e15c845e547fcf0e5c3da80854c751554224d3a6d4e55f"
	keyStampedOf    = "sha256:6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72"
	othernameOf     = "sha256:bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b"
)

var (
	bySigstoreJS = []string{
		"--certificate-identity", "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
		"--certificate-oidc-issuer", "https://token.actions.githubusercontent.com",
	}
	byOthername = []string{
		"--certificate-identity-regexp", ".*local", "--certificate-oidc-issuer", "http://oidc.local:8080",
		"--trusted-root", bundles + "othername-root.json",
	}
)

// imageBundle is the bundle of a recorded image, which is one for its manifest.
func imageBundle(t *testing.T, name string) (bundle, digest string) {
	t.Helper()
	var index recordedManifest
	readRecorded(t, filepath.Join(recordedLayout, "index.json"), &index)
	for _, entry := range index.Manifests {
		switch named := entry.Annotations["org.opencontainers.image.ref.name"]; {
		case named == name+":v1":
			digest = entry.Digest
		case strings.HasPrefix(named, name+"@"):
			var m recordedManifest
			readRecorded(t, recordedBlob(entry.Digest), &m)
			bundle = recordedBlob(m.Layers[0].Digest)
		}
	}
	return bundle, digest
}

// TestVerifyBundlePrintsWhatItProves has the JSON of bundles of each format, kind
// and log. Nothing here may ask a network, and the public one goes by the embedded
// trusted root.
func TestVerifyBundlePrintsWhatItProves(t *testing.T) {
	image := func(name string) []string {
		bundle, digest := imageBundle(t, name)
		return []string{"--bundle", bundle, digest}
	}
	of := func(bundle, digest string) []string { return []string{"--bundle", bundles + bundle, digest} }
	inLog := []string{"--tlog", "--trusted-root", recordedTrust + "trusted_root.json"}
	inRoot := inLog[1:]
	var all strings.Builder
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"0.1, statement, log v1, the public instance", exitOK, slices.Concat(bySigstoreJS, of("provenance.json", provenanceOf))},
		{"0.1, another identity", exitRefused, slices.Concat([]string{"--certificate-identity", strings.Replace(bySigstoreJS[1], "main", "dev", 1)}, bySigstoreJS[2:], of("provenance.json", provenanceOf))},
		{"0.1, another file", exitRefused, slices.Concat(bySigstoreJS, of("provenance.json", oldProvenanceOf))},
		{"0.1, another digest of perhaps the same file", exitRefused, slices.Concat(bySigstoreJS, of("provenance.json", "sha256:"+strings.Repeat("0", 64)))},
		{"0.1, log entry without inclusion proof", exitOK, slices.Concat([]string{"--certificate-identity", "brian@dehamer.com", "--certificate-oidc-issuer", "https://github.com/login/oauth"}, of("provenance-v0.2.json", oldProvenanceOf))},
		{"two signatures", exitRefused, slices.Concat(bySigstoreJS, of("two-signatures.json", oldProvenanceOf))},
		{"0.3, signature, log v1, another name", exitOK, slices.Concat(byOthername, of("othername.json", othernameOf))},
		{"0.3, signature, key", exitOK, slices.Concat([]string{"--key", bundles + "key-stamped.pub"}, of("key-stamped.json", keyStampedOf))},
		{"0.3, signature, key, no log entry", exitRefused, slices.Concat([]string{"--key", bundles + "key-stamped.pub", "--tlog"}, of("key-stamped.json", keyStampedOf))},
		{"0.3, signature, another key", exitRefused, slices.Concat([]string{"--key", recordedTrust + "k1.pub"}, of("key-stamped.json", keyStampedOf))},
		{"0.3, statement, log v1, key", exitOK, slices.Concat(byRecordedKey, inLog, image("b-key"))},
		{"0.3, statement, log v1, keyless", exitOK, slices.Concat(byDeveloper, inRoot, image("b-keyless"))},
		{"0.3, statement, log v2, key", exitOK, slices.Concat(byRecordedKey, inLog, image("b2-key"))},
		{"0.3, statement, log v2, keyless", exitOK, slices.Concat(byDeveloper, inRoot, image("b2-keyless"))},
		{"0.3, attestation", exitOK, slices.Concat(byRecordedKey, image("b-att"))},
		{"a key where a certificate signed", exitRefused, slices.Concat(byRecordedKey, image("b-keyless"))},
		{"a certificate where a key signed", exitRefused, slices.Concat(byDeveloper, inRoot, image("b-key"))},
	} {
		code, stdout, stderr := program(t, nil, slices.Concat([]string{"verify-bundle", "-o", "json"}, c.args)...)
		if code != c.code || stderr != "" {
			t.Errorf("%s: exit code %d, want %d: %s", c.name, code, c.code, stderr)
		}
		fmt.Fprintf(&all, "== %s, exit code %d\n%s", c.name, code, stdout)
		code, stdout, _ = program(t, nil, slices.Concat([]string{"verify-bundle"}, c.args)...)
		if code != c.code {
			t.Errorf("%s as a table: exit code %d, want %d", c.name, code, c.code)
		}
		all.WriteString(stdout)
	}
	goldenText(t, "testdata/bundles.golden", all.String())
}

// signedFile is a file with a bundle of its signature, and its key.
type signedFile struct{ file, bundle, key string }

// signFile makes a bundle of a version whose message signature is over the file's
// digest, or over its bytes for an Ed25519 key.
func signFile(t *testing.T, version string, hash crypto.Hash, key crypto.Signer, body []byte) signedFile {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sum, algorithm := sha256.Sum256(body), "SHA2_256"
	digest := sum[:]
	if hash == crypto.SHA512 {
		long := sha512.Sum512(body)
		digest, algorithm = long[:], "SHA2_512"
	}
	message, opts := digest, crypto.SignerOpts(hash)
	if _, plain := key.(ed25519.PrivateKey); plain {
		message, opts = body, crypto.Hash(0)
	}
	signature, err := key.Sign(rand.Reader, message, opts)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := json.Marshal(map[string]any{
		"mediaType":            version,
		"verificationMaterial": map[string]any{"publicKey": map[string]string{"hint": "k"}},
		"messageSignature": map[string]any{
			"messageDigest": map[string]string{"algorithm": algorithm, "digest": base64.StdEncoding.EncodeToString(digest)},
			"signature":     base64.StdEncoding.EncodeToString(signature),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return signedFile{
		write("file", body), write("bundle.json", bundle),
		write("key.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAFileIsVerifiedInEachFormatOfBundle(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, version := range []string{
		"application/vnd.dev.sigstore.bundle+json;version=0.1", "application/vnd.dev.sigstore.bundle+json;version=0.2",
		"application/vnd.dev.sigstore.bundle+json;version=0.3", "application/vnd.dev.sigstore.bundle.v0.3+json",
	} {
		for hash, curve := range map[crypto.Hash]elliptic.Curve{crypto.SHA256: elliptic.P256(), crypto.SHA512: elliptic.P521()} {
			s := signFile(t, version, hash, ecdsaKey(t, curve), body)
			args := []string{"verify-bundle", "--key", s.key, "--bundle", s.bundle}
			if code, stdout, stderr := program(t, nil, append(args, s.file)...); code != exitOK {
				t.Errorf("%s, %v: exit code %d: %s%s", version, hash, code, stdout, stderr)
			}
			changed := s.file + ".changed"
			if err := os.WriteFile(changed, append([]byte("x"), body...), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, stdout, _ := program(t, nil, append(args, changed)...); code != exitRefused || !strings.Contains(stdout, "DIGEST_MISMATCH") {
				t.Errorf("%s, %v: exit code %d of a changed file: %s", version, hash, code, stdout)
			}
		}
	}
}

// endless is a file of zeros that then ends or fails.
type endless struct {
	left int
	err  error
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, e.err
	}
	n := min(len(b), e.left)
	clear(b[:n])
	e.left -= n
	return n, nil
}

func TestAFileOnStdinIsReadOnce(t *testing.T) {
	s := signFile(t, "application/vnd.dev.sigstore.bundle.v0.3+json", crypto.SHA256, ecdsaKey(t, elliptic.P256()), make([]byte, 64<<20))
	args := []string{"verify-bundle", "--key", s.key, "--bundle", s.bundle, "-"}
	for name, c := range map[string]struct {
		from io.Reader
		code int
	}{
		"the file":                 {&endless{64 << 20, io.EOF}, exitOK},
		"a byte less":              {&endless{64<<20 - 1, io.EOF}, exitRefused},
		"one that cannot be read":  {&endless{1 << 20, io.ErrUnexpectedEOF}, exitUnknown},
		"nothing at all, no error": {&endless{0, io.EOF}, exitRefused},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), args, c.from, &stdout, &stderr, nil); code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s%s", name, code, c.code, stdout.String(), stderr.String())
		}
	}
}

// TestAFileSignedByEd25519 has the bytes that one signed and that cosign 3.1.3 made a
// bundle of, which names no digest.
func TestAFileSignedByEd25519(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const version = "application/vnd.dev.sigstore.bundle.v0.3+json"
	good, strange := signFile(t, version, crypto.SHA256, private, []byte("body")), signFile(t, version, crypto.SHA256, ecdsaKey(t, elliptic.P256()), []byte("Body"))
	long := sha512.Sum512([]byte("body"))
	signature, err := private.Sign(nil, long[:], &ed25519.Options{Hash: crypto.SHA512})
	if err != nil {
		t.Fatal(err)
	}
	prehashed := filepath.Join(t.TempDir(), "prehashed.json")
	bundle := fmt.Sprintf(`{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"k"}},"messageSignature":{"messageDigest":{"algorithm":"SHA2_512","digest":%q},"signature":%q}}`,
		version, base64.StdEncoding.EncodeToString(long[:]), base64.StdEncoding.EncodeToString(signature))
	if err := os.WriteFile(prehashed, []byte(bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	recorded := []string{"--key", bundles + "edwards-plain.pub", "--bundle", bundles + "edwards-plain.json"}
	plain, ph := []string{"--key", good.key, "--bundle", good.bundle}, []string{"--key", good.key, "--bundle", prehashed}
	for name, c := range map[string]struct {
		args []string
		of   string
		code int
		says string
	}{
		"by cosign, the file":                {recorded, good.file, exitOK, "Verified"},
		"by cosign, another file":            {recorded, strange.file, exitRefused, "KEY_MISMATCH"},
		"by cosign, the digest":              {recorded, fmt.Sprintf("sha512:%x", long), exitRefused, "UNSUPPORTED"},
		"by cosign, another key":             {append([]string{"--key", good.key}, recorded[2:]...), good.file, exitRefused, "KEY_MISMATCH"},
		"plain, the file":                    {plain, good.file, exitOK, "Verified"},
		"plain, another file":                {plain, strange.file, exitRefused, "KEY_MISMATCH"},
		"prehashed, the file":                {ph, good.file, exitOK, "Verified"},
		"prehashed, the sha512 digest":       {ph, fmt.Sprintf("sha512:%x", long), exitOK, "Verified"},
		"prehashed, another file":            {ph, strange.file, exitRefused, "DIGEST_MISMATCH"},
		"prehashed, the sha256 digest alone": {ph, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("body"))), exitRefused, "name the file"},
		"prehashed, another key":             {append([]string{"--key", bundles + "edwards-plain.pub"}, ph[2:]...), good.file, exitRefused, "KEY_MISMATCH"},
	} {
		code, stdout, stderr := program(t, nil, append(append([]string{"verify-bundle"}, c.args...), c.of)...)
		if code != c.code || !strings.Contains(stdout, c.says) {
			t.Errorf("%s: exit code %d, want %d: %s%s", name, code, c.code, stdout, stderr)
		}
	}
}

func TestVerifyBundleMistakes(t *testing.T) {
	_, plain, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	whole := signFile(t, "application/vnd.dev.sigstore.bundle.v0.3+json", crypto.SHA256, plain, []byte("body"))
	good := signFile(t, "application/vnd.dev.sigstore.bundle.v0.3+json", crypto.SHA256, ecdsaKey(t, elliptic.P256()), []byte("body"))
	large, huge := filepath.Join(t.TempDir(), "large"), filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(huge, make([]byte, verify.MaxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, bytes.Repeat([]byte(" "), maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no bundle":                  {[]string{"--key", good.key, good.file}, exitUsage, "--bundle FILE"},
		"no trust":                   {[]string{"--bundle", good.bundle, good.file}, exitUsage, "nobody is trusted"},
		"no file":                    {[]string{"--key", good.key, "--bundle", good.bundle}, exitUsage, "wanted one"},
		"two files":                  {[]string{"--key", good.key, "--bundle", good.bundle, good.file, good.file}, exitUsage, "wanted one"},
		"a file that is missing":     {[]string{"--key", good.key, "--bundle", good.bundle, "none"}, exitUsage, "none"},
		"a folder":                   {[]string{"--key", good.key, "--bundle", good.bundle, "testdata"}, exitUsage, "is a folder"},
		"a digest that is none":      {[]string{"--key", good.key, "--bundle", good.bundle, "sha256:00"}, exitUsage, "wanted 64"},
		"a bundle that is missing":   {[]string{"--key", good.key, "--bundle", "none", good.file}, exitUsage, "--bundle: "},
		"a bundle that is too large": {[]string{"--key", good.key, "--bundle", large, good.file}, exitUsage, "larger than 1 MiB"},
		"a bundle that is a file":    {[]string{"--key", good.key, "--bundle", good.file, good.file}, exitRefused, "MALFORMED"},
		"an issuer without identity": {append([]string{"--bundle", good.bundle, good.file}, byDeveloper[2:]...), exitUsage, "no identity is named"},
		"Ed25519 over the whole file, of which the digest is named":   {[]string{"--key", whole.key, "--bundle", whole.bundle, keyStampedOf}, exitRefused, "UNSUPPORTED"},
		"Ed25519 over the whole file, of which the file is too large": {[]string{"--key", whole.key, "--bundle", whole.bundle, huge}, exitRefused, "name the file (of at most 64 MiB)"},
		"a log that is asked": {[]string{"--key", good.key, "--bundle", good.bundle, "--rekor-url", "https://rekor.test", good.file}, exitUsage, "unknown flag: --rekor-url"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := program(t, nil, append([]string{"verify-bundle"}, c.args...)...)
			if code != c.code || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit code %d, want %d: %s%s", code, c.code, stdout, stderr)
			}
		})
	}
}
