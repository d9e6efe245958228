package e2e_test

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/cosign"
	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/tool"
)

func TestCranePullsThroughTheGateway(t *testing.T) {
	for _, upstream := range upstreams {
		t.Run(upstream.name, func(t *testing.T) {
			at, document := upstream.open(t)
			layout := cosign.Layouts()[0]
			key := cosign.NewKey(t, layout)
			signed, unsigned := at.Push(t, "acme/signed", "1"), at.Push(t, "acme/unsigned", "1")
			other := at.Push(t, "elsewhere/unsigned", "1")
			key.Sign(t, at, signed, layout)
			at.Reset()
			g := gateway.Start(t, enforced(t, document, key))

			t.Run("what is signed arrives whole", func(t *testing.T) {
				for _, reference := range []string{":1", "@" + signed.Digest} {
					if got := craneExport(t, g, "acme/signed"+reference); got != signed.Salt {
						t.Errorf("the file /salt of acme/signed%s: got %q, want %q", reference, got, signed.Salt)
					}
				}
			})
			t.Run("what is not signed is refused and the reason is shown", func(t *testing.T) {
				for _, reference := range []string{":1", "@" + unsigned.Digest} {
					file := filepath.Join(t.TempDir(), "image.tar")
					out := crane(t, "pull", g.Host+"/docker.io/acme/unsigned"+reference, file)
					if out.Code == 0 {
						t.Errorf("crane pull acme/unsigned%s succeeds", reference)
					}
					checkShows(t, out.Stderr, "DENIED: docker.io/acme/unsigned@"+unsigned.Digest+": refused by policy "+policyName)
				}
				checkNoContent(t, at, unsigned)
			})
			t.Run("what no policy matches is let through", func(t *testing.T) {
				if got := craneExport(t, g, "elsewhere/unsigned:1"); got != other.Salt {
					t.Errorf("the file /salt: got %q, want %q", got, other.Salt)
				}
			})
			t.Run("tags are listed", func(t *testing.T) {
				if out := crane(t, "ls", g.Host+"/docker.io/acme/unsigned"); strings.TrimSpace(out.Stdout) != "1" {
					t.Errorf("crane ls: got %q, want 1", out.Stdout)
				}
			})
			t.Run("nothing can be written", func(t *testing.T) {
				out := crane(t, "tag", g.Host+"/docker.io/acme/signed:1", "2")
				if out.Code == 0 {
					t.Error("crane tag succeeds")
				}
				checkShows(t, out.Stderr, "UNSUPPORTED")
			})
			checkOnlyGateway(t, at)
		})
	}
}

func TestARegistryThatIsNotListedIsNotAsked(t *testing.T) {
	at, document := upstreams[0].open(t)
	stranger, _ := upstreams[0].open(t)
	stranger.Push(t, "acme/app", "1")
	stranger.Reset()
	g := gateway.Start(t, enforced(t, document, cosign.NewKey(t, cosign.Layouts()[0])))
	for _, name := range []string{stranger.Host, "registry.example.com"} {
		out := crane(t, "digest", g.Host+"/"+strings.Replace(name, ":", "_", 1)+"/acme/app:1")
		if out.Code == 0 {
			t.Errorf("crane digest at %s succeeds", name)
		}
		checkShows(t, out.Stderr, "NAME_UNKNOWN: no Registry document named "+name)
	}
	for _, request := range append(stranger.Requests(""), at.Requests("")...) {
		t.Errorf("a registry was asked: %s", request)
	}
}

func crane(t *testing.T, args ...string) tool.Output {
	t.Helper()
	return tool.Run(t, nil, tool.Path("crane"), args...)
}

// craneExport pulls an image of docker.io with all its content, which crane
// checks against the digests, and returns the file /salt of its filesystem.
func craneExport(t *testing.T, g *gateway.Gateway, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "filesystem.tar")
	if out := crane(t, "export", g.Host+"/docker.io/"+name, file); out.Code != 0 {
		t.Fatalf("crane export %s: exit %d", name, out.Code)
	}
	archive, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if err != nil {
			t.Fatalf("%s has no file /salt: %v", name, err)
		}
		if header.Name == "salt" {
			content, err := io.ReadAll(reader)
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
	}
}

// checkShows demands that a person reads certain words.
func checkShows(t *testing.T, shown, want string) {
	t.Helper()
	if !strings.Contains(shown, want) {
		t.Errorf("what is shown lacks %q:\n%s", want, shown)
	}
}
