package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/internal/lab"
)

const (
	recordedLayout = "../../verify/testdata/fixtures/layout"
	recordedTrust  = "../../verify/testdata/fixtures/trust/"
)

// The flags under which recorded images are verified.
var (
	byRecordedKey  = []string{"--key", recordedTrust + "k1.pub"}
	withRecorded   = []string{"--trusted-root", recordedTrust + "trusted_root.json", "--offline"}
	inRecordedLog  = append([]string{"--tlog"}, withRecorded...)
	byDeveloper    = []string{"--certificate-identity", "dev@corp.example", "--certificate-oidc-issuer", "http://127.0.0.1:15001/email"}
	byWorkflow     = []string{"--certificate-identity", "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main", "--certificate-oidc-issuer", "http://127.0.0.1:15001/gha"}
	byOwnAuthority = []string{
		"--certificate-identity", "builder@corp.example", "--certificate-oidc-issuer", "https://ci.corp.example",
		"--certificate-chain", recordedTrust + "own-chain.pem",
	}
)

// recordedImages are all of them, each under flags that fit what signed it.
var recordedImages = []struct {
	name  string
	flags [][]string
	code  int
}{
	{"key-nolog", [][]string{byRecordedKey}, exitOK},
	{"key-log", [][]string{byRecordedKey, inRecordedLog}, exitOK},
	{"key-online", [][]string{byRecordedKey, inRecordedLog}, exitRefused},
	{"keyless", [][]string{byDeveloper, withRecorded}, exitOK},
	{"keyless-gha", [][]string{byWorkflow, withRecorded}, exitOK},
	{"keyless-tsa", [][]string{byDeveloper, withRecorded, {"--insecure-ignore-tlog"}}, exitOK},
	{"own-ca", [][]string{byOwnAuthority}, exitOK},
	{"own-ca-log", [][]string{byOwnAuthority, inRecordedLog}, exitOK},
	{"index", [][]string{byRecordedKey, {"--all-platforms"}}, exitOK},
	{"index-top", [][]string{byRecordedKey, {"--all-platforms"}}, exitOK},
	{"att", [][]string{byRecordedKey}, exitRefused},
	{"two", [][]string{byRecordedKey, {"--key", recordedTrust + "k2.pub"}}, exitOK},
	{"unsigned", [][]string{byRecordedKey}, exitRefused},
	{"b-key", [][]string{byRecordedKey, inRecordedLog}, exitOK},
	{"b-keyless", [][]string{byDeveloper, withRecorded}, exitOK},
	{"b-index", [][]string{byRecordedKey, {"--all-platforms"}}, exitOK},
	{"b-att", [][]string{byRecordedKey}, exitRefused},
	{"b-key-nolog", [][]string{byRecordedKey, inRecordedLog}, exitRefused},
	{"b2-key", [][]string{byRecordedKey, inRecordedLog}, exitOK},
	{"b2-keyless", [][]string{byDeveloper, withRecorded}, exitOK},
	{"l3-keyless", [][]string{byDeveloper, withRecorded}, exitOK},
}

// TestVerifyPrintsWhatEachRecordedImageProves has the JSON of every image word for
// word, read from a folder and from a registry, which must say the same.
func TestVerifyPrintsWhatEachRecordedImageProves(t *testing.T) {
	registry := recordedRegistry(t)
	var all strings.Builder
	for _, image := range recordedImages {
		args := []string{"verify", "-o", "json"}
		for _, flags := range image.flags {
			args = append(args, flags...)
		}
		code, folder, stderr := program(t, nil, append(args, "--layout", recordedLayout, image.name+":v1")...)
		if code != image.code || stderr != "" {
			t.Errorf("%s: exit code %d, want %d: %s", image.name, code, image.code, stderr)
		}
		code, served, stderr := program(t, nil, append(args, "--plain-http", registry.Host()+"/library/"+image.name+":v1")...)
		if code != image.code || stderr != "" {
			t.Errorf("%s at a registry: exit code %d, want %d: %s", image.name, code, image.code, stderr)
		}
		if diff := cmp.Diff(folder, strings.ReplaceAll(served, registry.Host(), "docker.io")); diff != "" {
			t.Errorf("%s: the folder (-) and the registry (+) differ:\n%s", image.name, diff)
		}
		fmt.Fprintf(&all, "== %s, exit code %d\n%s", image.name, code, folder)
	}
	if len(recordedImages) != 21 {
		t.Errorf("%d images, wanted 21", len(recordedImages))
	}
	goldenText(t, "testdata/recorded.golden", all.String())
}

// TestVerifySaysHowNearAMissIs has what people read, of images that verify and of
// such that fail in one thing.
func TestVerifySaysHowNearAMissIs(t *testing.T) {
	with := func(all ...[]string) (flags []string) {
		for _, one := range all {
			flags = append(flags, one...)
		}
		return flags
	}
	workflow := byWorkflow[1]
	issuer := byWorkflow[2:]
	var all strings.Builder
	for _, c := range []struct {
		name, image string
		code        int
		flags       []string
	}{
		{"right", "keyless-gha", exitOK, with(byWorkflow, withRecorded)},
		{"right, expressions", "keyless-gha", exitOK, with(withRecorded, []string{
			"--certificate-identity-regexp", `https://github\.com/acme/.*`, "--certificate-oidc-issuer-regexp", `http://127\.0\.0\.1:15001/.*`,
		})},
		{"another branch", "keyless-gha", exitRefused, with(withRecorded, issuer, []string{"--certificate-identity", strings.Replace(workflow, "main", "dev", 1)})},
		{"a part", "keyless-gha", exitRefused, with(withRecorded, issuer, []string{"--certificate-identity-regexp", `https://github\.com/acme`})},
		{"another issuer", "keyless-gha", exitRefused, with(withRecorded, byWorkflow[:2], byDeveloper[2:])},
		{"the public instance", "keyless-gha", exitRefused, with(byWorkflow, []string{"--offline"})},
		{"another CA", "own-ca", exitRefused, with(byOwnAuthority[:4], []string{"--certificate-chain", recordedTrust + "wrong-root.pem"})},
		{"no log entry", "own-ca", exitRefused, with(byOwnAuthority, inRecordedLog)},
		{"no timestamp", "keyless", exitRefused, with(byDeveloper, withRecorded, []string{"--insecure-ignore-tlog"})},
		{"a key, signed with a certificate", "keyless", exitRefused, byRecordedKey},
		{"a certificate, signed with a key", "key-log", exitRefused, with(byDeveloper, withRecorded)},
	} {
		for _, form := range []string{"table", "wide"} {
			args := with([]string{"verify", "-o", form, "--layout", recordedLayout}, c.flags, []string{c.image + ":v1"})
			code, stdout, stderr := program(t, nil, args...)
			if code != c.code || stderr != "" {
				t.Errorf("%s: exit code %d, want %d: %s", c.name, code, c.code, stderr)
			}
			fmt.Fprintf(&all, "== %s, %s\n%s\n", c.name, form, stdout)
		}
	}
	goldenText(t, "testdata/nearest.golden", all.String())
}

// goldenText compares got with a file; UPDATE_GOLDEN=1 writes it first.
func goldenText(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// recordedRegistry serves the recorded images and their signatures as
// library/NAME, with the referrers API.
func recordedRegistry(t *testing.T) *lab.Registry {
	t.Helper()
	r, err := lab.NewRegistry(t.Context(), lab.RegistryConfig{Referrers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	var index recordedManifest
	readRecorded(t, filepath.Join(recordedLayout, "index.json"), &index)
	for _, entry := range index.Manifests {
		named := entry.Annotations["org.opencontainers.image.ref.name"]
		at := strings.IndexAny(named, ":@")
		pushRecorded(t, r, "library/"+named[:at], named[at+1:], entry.Digest)
	}
	r.Reset()
	return r
}

type recordedManifest struct {
	MediaType   string
	Digest      string
	Config      *recordedManifest
	Layers      []recordedManifest
	Manifests   []recordedManifest
	Annotations map[string]string
}

// pushRecorded pushes a manifest under tag or digest with all that it names.
func pushRecorded(t *testing.T, r *lab.Registry, repository, name, digest string) {
	t.Helper()
	var m recordedManifest
	body := readRecorded(t, recordedBlob(digest), &m)
	for _, child := range m.Manifests {
		pushRecorded(t, r, repository, child.Digest, child.Digest)
	}
	blobs := m.Layers
	if m.Config != nil {
		blobs = append(blobs, *m.Config)
	}
	for _, blob := range blobs {
		if _, err := r.PushBlob(repository, readRecorded(t, recordedBlob(blob.Digest), nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.PushManifest(repository, name, m.MediaType, body); err != nil {
		t.Fatal(err)
	}
}

func recordedBlob(digest string) string {
	return filepath.Join(recordedLayout, "blobs", strings.Replace(digest, ":", "/", 1))
}

func readRecorded(t *testing.T, path string, into any) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err == nil && into != nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		t.Fatal(err)
	}
	return body
}
