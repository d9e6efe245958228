package oci_test

import (
	"encoding/json"
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestCanonicalRegistry(t *testing.T) {
	for name, want := range map[string]string{
		"docker.io":                  "docker.io",
		"DOCKER.io":                  "docker.io",
		"index.docker.io":            "docker.io",
		"Index.Docker.IO:443":        "docker.io",
		"registry-1.docker.io":       "docker.io",
		"registry.hub.docker.com":    "docker.io",
		"docker.io:80":               "docker.io",
		"docker.io:5000":             "docker.io:5000",
		"index.docker.io:5000":       "index.docker.io:5000",
		"ghcr.io":                    "ghcr.io",
		"registry.acme.com:5000":     "registry.acme.com:5000",
		"Registry.Acme.com:443":      "registry.acme.com",
		"registry.acme.com:1":        "registry.acme.com:1",
		"registry.acme.com:65535":    "registry.acme.com:65535",
		"localhost":                  "localhost",
		"LOCALHOST":                  "localhost",
		"localhost:80":               "localhost",
		"localhost:5000":             "localhost:5000",
		"registry:5000":              "registry:5000",
		"registry:443":               "registry:443",
		"127.0.0.1:41233":            "127.0.0.1:41233",
		"[::1]":                      "[::1]",
		"[::1]:5000":                 "[::1]:5000",
		"[::1]:443":                  "[::1]",
		"[2001:DB8:0:0:0:0:0:1]:80":  "[2001:db8::1]",
		"[2001:db8::0001]:8080":      "[2001:db8::1]:8080",
		"a--b.example":               "a--b.example",
		"xn--bcher-kva.example:8443": "xn--bcher-kva.example:8443",
	} {
		got, err := oci.CanonicalRegistry(name)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
		if again, err := oci.CanonicalRegistry(got); err != nil || again != got {
			t.Errorf("%s: the canonical name %q becomes %q, %v", name, got, again, err)
		}
	}
}

func TestCanonicalRegistryRefuses(t *testing.T) {
	for _, name := range []string{
		"", ".", ":5000", "a.b:", "a.b:0", "a.b:00", "a.b:0443", "a.b:65536", "a.b:123456", "a.b:-1", "a.b:+443", "a.b:x",
		"registry", "a.b/c", "https://a.b", "a.b ", " a.b", "a.b\n", "a.b:443\n", "a..b", ".a.b", "a.b.", "-a.b", "a-.b", "a_b.c",
		"user@a.b", "a.b?c", "a.b#c", "a.b\\c", "*.a.b", "::1", "[::1", "::1]", "[]", "[:]", "[::1]5000", "[::1]:", "[::1%eth0]",
		"[1.2.3.4]", "[::ffff:1.2.3.4]", "[::ffff:102:304]", "[:::1]", "doc\u212aer.io", "docker\u3002io", "a.b\x00",
	} {
		if got, err := oci.CanonicalRegistry(name); err == nil {
			t.Errorf("%q: got %q, want an error", name, got)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for _, path := range []string{
		"a", "library/nginx", "a/b/c/d", "a.b", "a_b", "a__b", "a-b", "a---b", "0", "acme/api.v2/x_1", strings.Repeat("a", 255),
	} {
		if err := oci.CheckPath(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, path := range []string{
		"", "/", "a/", "/a", "a//b", "A", "a/B", ".", "..", "a/../b", "a..b", "a___b", "a._b", "_a", "a_", "-a", "a-", "a b", "a\n", "a/\n",
		"a\nb", "é", "a%2fb", "a\\b", "a:b", "a@b", "a\x00", strings.Repeat("a", 256),
	} {
		if err := oci.CheckPath(path); err == nil {
			t.Errorf("%q: got no error", path)
		}
	}
}

func TestCheckTag(t *testing.T) {
	for _, tag := range []string{"a", "1.4", "_", "A-b_c.d", "latest", strings.Repeat("a", 128), oci.SHA256(nil).TagName() + ".sig"} {
		if err := oci.CheckTag(tag); err != nil {
			t.Errorf("%q: %v", tag, err)
		}
	}
	for _, tag := range []string{"", ".a", "-a", "a b", "a\n", "\na", "a/b", "a:b", "a@b", "é", "a\x00", "a+b", strings.Repeat("a", 129)} {
		if err := oci.CheckTag(tag); err == nil {
			t.Errorf("%q: got no error", tag)
		}
	}
}

func TestNewRepository(t *testing.T) {
	for _, test := range []struct{ registry, path, want string }{
		{"index.docker.io", "nginx", "docker.io/library/nginx"},
		{"docker.io", "acme/api", "docker.io/acme/api"},
		{"Quay.io:443", "nginx", "quay.io/nginx"},
		{"[::1]:5000", "a", "[::1]:5000/a"},
	} {
		got, err := oci.NewRepository(test.registry, test.path)
		if err != nil || got.String() != test.want {
			t.Errorf("%s and %s: got %s, %v; want %s", test.registry, test.path, got, err, test.want)
		}
	}
	for _, test := range []struct{ registry, path string }{
		{"docker.io", ""}, {"", "a"}, {"a.b", "A"}, {"a.b:5000", strings.Repeat("a", 250)},
	} {
		if got, err := oci.NewRepository(test.registry, test.path); err == nil {
			t.Errorf("%s and %s: got %s, want an error", test.registry, test.path, got)
		}
	}
}

func TestParseReference(t *testing.T) {
	for name, want := range map[string]string{
		"nginx":                      "docker.io/library/nginx:latest",
		"nginx:1.27":                 "docker.io/library/nginx:1.27",
		"acme/api":                   "docker.io/acme/api:latest",
		"index.docker.io/nginx":      "docker.io/library/nginx:latest",
		"registry-1.docker.io/nginx": "docker.io/library/nginx:latest",
		"nginx@" + hexA:              "docker.io/library/nginx@" + hexA,
		"nginx@" + hexB:              "docker.io/library/nginx@" + hexB,
		"nginx:1.27@" + hexA:         "docker.io/library/nginx:1.27@" + hexA,
		"registry.acme.com:5000/app/x:V1@" + hexB:  "registry.acme.com:5000/app/x:V1@" + hexB,
		"Registry.Acme.com:443/app":                "registry.acme.com/app:latest",
		"registry:443/app":                         "registry:443/app:latest",
		"registry:5000/app":                        "registry:5000/app:latest",
		"localhost/app":                            "localhost/app:latest",
		"LOCALHOST/app":                            "localhost/app:latest",
		"[2001:DB8::1]:5000/app:1":                 "[2001:db8::1]:5000/app:1",
		"registry/app":                             "docker.io/registry/app:latest",
		"docker.io/localhost/app":                  "docker.io/localhost/app:latest",
		"127.0.0.1:41233/acme/api:" + "sha256-abc": "127.0.0.1:41233/acme/api:sha256-abc",
	} {
		got, err := oci.ParseReference(name)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	for _, name := range []string{
		"", " nginx", "nginx ", "nginx\n", "nginx:", "nginx@", "nginx:1:2", "Nginx", "acme/API", "a//b", "a/", "../a", "https://a.b/c",
		"registry.acme.com:0/app", "registry.acme.com:65536/app", "REGISTRY/app", strings.Repeat("a", 64),
		"nginx@sha256:" + strings.Repeat("a", 63), "nginx@sha256:" + strings.Repeat("A", 64), "nginx@md5:" + strings.Repeat("a", 32),
		"nginx@sha384:" + strings.Repeat("a", 96), "nginx@" + hexA + "@" + hexA, "nginx@" + hexA + ":1", "nginx:" + strings.Repeat("a", 129),
		"a.b/" + strings.Repeat("a", 252), "nginx\x00", "doc\u212aer.io/a",
	} {
		if got, err := oci.ParseReference(name); err == nil {
			t.Errorf("%q: got %s, want an error", name, got)
		}
	}
}

func TestReferencePrintsAsText(t *testing.T) {
	ref, err := oci.ParseReference("nginx:1.27")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(map[string]any{"image": ref, "repository": ref.Repository, "pinned": ref.WithDigest(mustDigest(hexA))})
	want := `{"image":"docker.io/library/nginx:1.27","pinned":"docker.io/library/nginx:1.27@` + hexA + `","repository":"docker.io/library/nginx"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if !ref.Digest.IsZero() {
		t.Error("WithDigest changed its receiver")
	}
}

// FuzzParseReference: what is accepted prints as a name that is read as the
// same, and each part passes its own check.
func FuzzParseReference(f *testing.F) {
	for _, name := range []string{
		"nginx", "nginx:1.27@" + hexA, "registry.acme.com:5000/app@" + hexB, "[::1]:80/a:b", "index.docker.io/a", "registry:443/app",
		"LOCALHOST/app", "a.b:443/c:d", "Foo/bar", "[::ffff:102:304]/a", "docker.io/library/library/a",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ref, err := oci.ParseReference(name)
		if err != nil {
			return
		}
		again, err := oci.ParseReference(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q is %s, which is %s, %v", name, ref, again, err)
		}
		if ref.Tag == "" && ref.Digest.IsZero() {
			t.Fatalf("%q has neither tag nor digest", name)
		}
		if repository, err := oci.NewRepository(ref.Repository.Registry, ref.Repository.Path); err != nil || repository != ref.Repository {
			t.Fatalf("%q is in %s, which is %s, %v", name, ref.Repository, repository, err)
		}
		if ref.Tag != "" && oci.CheckTag(ref.Tag) != nil {
			t.Fatalf("%q has the tag %q", name, ref.Tag)
		}
	})
}
