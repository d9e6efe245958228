package oci_test

import (
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestPathFormAndBack(t *testing.T) {
	for _, c := range []struct{ registry, path, want string }{
		{"docker.io", "library/nginx", "docker.io/library/nginx"},
		{"registry.acme.com:5000", "team/app", "registry.acme.com_5000/team/app"},
		{"localhost", "app", "localhost/app"},
		{"localhost:5000", "app", "localhost_5000/app"},
		{"registry:5000", "app", "registry_5000/app"},
		{"192.0.2.7:8443", "a/b/c", "192.0.2.7_8443/a/b/c"},
	} {
		r, err := oci.NewRepository(c.registry, c.path)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := r.PathForm()
		if !ok || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", r, got, ok, c.want)
		}
		registry, rest, named, err := oci.CutPathForm(got)
		if err != nil || !named || registry != r.Registry || rest != r.Path {
			t.Errorf("%s came back as %q %q, named %v, %v", r, registry, rest, named, err)
		}
	}
}

func TestRegistriesThatNoPathCanName(t *testing.T) {
	for _, r := range []oci.Repository{{}, {Registry: "docker.io"}, {Path: "app"}, {Registry: "[2001:db8::1]:5000", Path: "app"}, {Registry: "[::1]", Path: "app"}} {
		if path, ok := r.PathForm(); ok || path != "" {
			t.Errorf("%+v: got %q", r, path)
		}
	}
}

func TestPathsThatNameNoRegistry(t *testing.T) {
	for _, path := range []string{"nginx", "library/nginx", "acme/a.b/c", "acme_x/app", "_5000/app", "app_/x", ""} {
		registry, rest, named, err := oci.CutPathForm(path)
		if named || err != nil || registry != "" || rest != path {
			t.Errorf("%q: got %q %q, named %v, %v", path, registry, rest, named, err)
		}
	}
}

func TestMistypedRegistriesAreNoRepositories(t *testing.T) {
	for path, want := range map[string]string{
		"registry.acme.com:5000/app": "colon is written",
		"Docker.io/library/nginx":    "not lower case",
		"a..b/app":                   "not a registry host",
		"registry_0/app":             "no usable port",
		"registry_99999/app":         "no usable port",
		"-x.y/app":                   "not a registry host",
	} {
		registry, _, named, err := oci.CutPathForm(path)
		if !named || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, named %v, %v", path, registry, named, err)
		}
	}
}

// FuzzPathForm holds that a name which has a path form comes back from it.
func FuzzPathForm(f *testing.F) {
	f.Add("registry.acme.com:5000/team/app")
	f.Add("nginx")
	f.Add("[::1]:5000/app")
	f.Add("a_1/b")
	f.Fuzz(func(t *testing.T, name string) {
		_, _, _, _ = oci.CutPathForm(name)
		ref, err := oci.ParseReference(name)
		if err != nil {
			return
		}
		path, ok := ref.Repository.PathForm()
		if !ok {
			return
		}
		registry, rest, named, err := oci.CutPathForm(path)
		if err != nil || !named || (oci.Repository{Registry: registry, Path: rest}) != ref.Repository {
			t.Errorf("%s has the path %q, which is %q %q, %v", ref.Repository, path, registry, rest, err)
		}
	})
}
