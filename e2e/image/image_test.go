package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var source = Source{Version: "v1.2.3", Revision: "0123456789abcdef", Created: time.Unix(1_700_000_000, 0).UTC()}

// write writes a layout for two platforms, of files that were made just now, and
// returns its folder.
func write(t *testing.T) string {
	t.Helper()
	var programs []Program
	for _, architecture := range []string{"amd64", "arm64"} {
		file := filepath.Join(t.TempDir(), architecture)
		if err := os.WriteFile(file, []byte("program for "+architecture), 0o600); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, Program{v1.Platform{OS: "linux", Architecture: architecture}, file})
	}
	index, err := Index(source, []byte("authorities"), programs)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "image")
	if _, err := Write(folder, index, source.Version); err != nil {
		t.Fatal(err)
	}
	return folder
}

// tree is the name, mode and digest of each file in a folder.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		sum := sha256.Sum256(content)
		files[strings.TrimPrefix(path, folder)] = info.Mode().String() + " " + hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheSameSourceGivesTheSameBytes(t *testing.T) {
	first, second := tree(t, write(t)), tree(t, write(t))
	if !maps.Equal(first, second) {
		t.Errorf("two layouts differ:\n%v\n%v", first, second)
	}
	// Two images of a manifest, a config and a layer each, the layer that both
	// share, the index; index.json and oci-layout.
	if len(first) != 10 {
		t.Errorf("a layout has %d files, want 10", len(first))
	}
	for name, file := range first {
		if !strings.HasPrefix(file, "-rw-r--r-- ") {
			t.Errorf("%s: %s, want one that everybody can read", name, file)
		}
	}
}

// images opens the layout and returns its images.
func images(t *testing.T) []v1.Image {
	t.Helper()
	path, err := layout.FromPath(write(t))
	if err != nil {
		t.Fatal(err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations[refName] != source.Version {
		t.Fatalf("the layout holds %+v, want one index named %s", manifest.Manifests, source.Version)
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	if manifest.Annotations["org.opencontainers.image.revision"] != source.Revision {
		t.Errorf("the index has the annotations %v", manifest.Annotations)
	}
	var all []v1.Image
	for _, child := range manifest.Manifests {
		image, err := index.Image(child.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if child.Platform == nil || child.Platform.Architecture != config.Architecture {
			t.Errorf("the index says %v of an image for %s", child.Platform, config.Architecture)
		}
		all = append(all, image)
	}
	return all
}

func TestTheImageHasOneProgramAndNoShell(t *testing.T) {
	const want = `drwxr-xr-x 0:0 etc/
-rw-r--r-- 0:0 etc/group
-rw-r--r-- 0:0 etc/passwd
drwxr-xr-x 0:0 etc/ssl/
drwxr-xr-x 0:0 etc/ssl/certs/
-rw-r--r-- 0:0 etc/ssl/certs/ca-certificates.crt
drwxr-xr-x 0:0 etc/vouchsafe/
drwxr-xr-x 0:0 var/
drwxr-xr-x 0:0 var/lib/
drwx------ 65532:65532 var/lib/vouchsafe/
-rwxr-xr-x 0:0 vouchsafe
`
	for _, image := range images(t) {
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		layers, err := image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, layer := range layers {
			list(t, &got, layer, config.Architecture)
		}
		if got.String() != want {
			t.Errorf("the image for %s has\n%s, want\n%s", config.Architecture, got.String(), want)
		}
	}
}

// list writes what a layer has, and checks its program and times.
func list(t *testing.T, w io.Writer, layer v1.Layer, architecture string) {
	t.Helper()
	archive, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "%s %d:%d %s\n", header.FileInfo().Mode(), header.Uid, header.Gid, header.Name)
		if !header.ModTime.Equal(source.Created) {
			t.Errorf("%s is of %s, want %s", header.Name, header.ModTime, source.Created)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if want := "program for " + architecture; header.Name == "vouchsafe" && string(content) != want {
			t.Errorf("the program is %q, want %q", content, want)
		}
	}
}

func TestTheDockerfileSaysTheSame(t *testing.T) {
	file, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := strings.Cut(string(file), "\nFROM scratch\n")
	if !found {
		t.Fatal("the Dockerfile's last stage does not begin with nothing")
	}
	said := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^([A-Z]+) (.*)$`).FindAllStringSubmatch(last, -1) {
		said[line[1]] += line[2] + "\n"
	}
	config := source.config()
	ports := slices.Sorted(maps.Keys(config.ExposedPorts))
	want := map[string]string{
		"COPY": "--from=build " + roots + " " + filepath.Dir(roots) + "/\n" +
			"e2e/image/rootfs /\n" +
			"--from=build /out/etc/vouchsafe /etc/vouchsafe\n" +
			"--from=build --chown=65532:65532 --chmod=700 /out/var/lib/vouchsafe /var/lib/vouchsafe\n" +
			"--from=build /out/vouchsafe /vouchsafe\n",
		"ENV":        strings.Join(config.Env, " ") + "\n",
		"EXPOSE":     strings.ReplaceAll(strings.Join(ports, " "), "/tcp", "") + "\n",
		"USER":       config.User + "\n",
		"ENTRYPOINT": fmt.Sprintf("[%q]\n", config.Entrypoint[0]),
		"CMD":        fmt.Sprintf("[%q]\n", config.Cmd[0]),
	}
	if !maps.Equal(said, want) {
		t.Errorf("the Dockerfile says\n%q, the image\n%q", said, want)
	}
}

func TestWhatCannotBeBuiltIsSaid(t *testing.T) {
	out := filepath.Join(t.TempDir(), "image")
	authorities := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(authorities, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"without a folder", nil, "-o is missing"},
		{"without certificate authorities", []string{"-o", out, "-roots", authorities + ".gone"}, "apt-get install ca-certificates"},
		{"for a system that is not Linux", []string{"-o", out, "-roots", authorities, "-platforms", "windows/amd64"}, `the platform "windows/amd64" is not linux/<architecture>`},
		{"for a list with a hole", []string{"-o", out, "-roots", authorities, "-platforms", "linux"}, `the platform "linux" is not linux/<architecture>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := run(t.Context(), test.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a layout was written")
			}
		})
	}
}

func TestTheTimeOfABuildIsNeverNow(t *testing.T) {
	// A test binary has no commit.
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, epoch, want string
		created           time.Time
	}{
		{"without a commit and without a time", "", "set SOURCE_DATE_EPOCH", time.Time{}},
		{"with a time that is none", "yesterday", "read SOURCE_DATE_EPOCH", time.Time{}},
		{"with a time", "1700000000", "", time.Unix(1_700_000_000, 0).UTC()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", test.epoch)
			got, err := readSource(binary)
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if !got.Created.Equal(test.created) {
				t.Errorf("got %s, want %s", got.Created, test.created)
			}
		})
	}
}
