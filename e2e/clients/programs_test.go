package clients_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// program is a client with the name of its golden file.
type program struct {
	name string
	client
}

// programs returns those that this user can run.
func programs(t *testing.T, w *world) []program {
	t.Helper()
	all := []program{{"crane", &crane{}}, {"skopeo", &skopeo{}}}
	if os.Geteuid() != 0 {
		return all
	}
	return append(all,
		program{"podman", newPodman(t)},
		program{"containerd-1.6", newNode(t, w, "")},
		program{"containerd-2", newNode(t, w, os.Getenv(containerd2Folder))},
	)
}

// crane pulls into an OCI layout, all of an index.
type crane struct{ folder string }

func (*crane) Version(*testing.T) string { return "crane of go-containerregistry, as go.mod has it" }

func (c *crane) Pull(t *testing.T, reference string) (string, tool.Output) {
	t.Helper()
	c.folder = t.TempDir()
	return "crane pull --format oci " + reference + " layout",
		tool.Run(t, nil, tool.Path("crane"), "pull", "--format", "oci", reference, c.folder)
}

func (c *crane) Folders() []string { return []string{c.folder} }

func (c *crane) Check(t *testing.T, _ string, image origin.Image, arrived bool) {
	t.Helper()
	checkBlobs(t, c.folder, image, arrived)
}

// skopeo copies into a folder, of an index what is for this platform.
type skopeo struct{ folder string }

// skopeoPolicy lets everything in: what is judged here is the gateway.
const skopeoPolicy = `{"default": [{"type": "insecureAcceptAnything"}]}`

func (*skopeo) Version(t *testing.T) string {
	t.Helper()
	return tool.MustRun(t, nil, "skopeo", "--version").Stdout
}

func (s *skopeo) Pull(t *testing.T, reference string) (string, tool.Output) {
	t.Helper()
	s.folder = t.TempDir()
	policy := filepath.Join(t.TempDir(), "policy.json")
	check(t, os.WriteFile(policy, []byte(skopeoPolicy), 0o600))
	return "skopeo copy --quiet --src-tls-verify=false docker://" + reference + " dir:folder",
		tool.Run(t, nil, "skopeo", "--policy", policy, "copy", "--quiet", "--src-tls-verify=false", "docker://"+reference, "dir:"+s.folder)
}

func (s *skopeo) Folders() []string { return []string{s.folder} }

func (s *skopeo) Check(t *testing.T, _ string, image origin.Image, arrived bool) {
	t.Helper()
	checkBlobs(t, s.folder, image, arrived)
}

// addressed is a file's name that is the digest of its content.
var addressed = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkBlobs demands that each file under folder that is named by a digest has
// that digest, and of an image that arrived that all its blobs are there.
func checkBlobs(t *testing.T, folder string, image origin.Image, arrived bool) {
	t.Helper()
	found := map[string]bool{}
	check(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		// What containerd has collected in the meantime is not stored.
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !entry.Type().IsRegular() || !addressed.MatchString(entry.Name()) {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != entry.Name() {
			t.Errorf("%s has %d bytes with the digest sha256:%s", path, len(content), got)
		}
		found["sha256:"+entry.Name()] = true
		return nil
	}))
	for _, blob := range image.Blobs {
		if arrived && !found[blob] {
			t.Errorf("%s of %s is not in the store", blob, image.Repository)
		}
	}
	if !arrived && found[layer(image)] {
		t.Errorf("the layer of %s is in the store", image.Repository)
	}
}

// podman pulls into a store of its own.
type podman struct {
	folder string
	env    []string
}

// podmanConfig keeps Podman's locks and events to its own folder.
const podmanConfig = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
`

func newPodman(t *testing.T) *podman {
	t.Helper()
	p := &podman{folder: shortFolder(t)}
	file := filepath.Join(p.folder, "containers.conf")
	check(t, os.WriteFile(file, []byte(podmanConfig), 0o600))
	check(t, os.WriteFile(filepath.Join(p.folder, "policy.json"), []byte(skopeoPolicy), 0o600))
	p.env = []string{"CONTAINERS_CONF=" + file}
	return p
}

// args are the arguments of a podman command, after those that say where.
func (p *podman) args(args ...string) []string {
	return append([]string{
		"--root", filepath.Join(p.folder, "root"), "--runroot", filepath.Join(p.folder, "run"),
		"--tmpdir", filepath.Join(p.folder, "tmp"), "--storage-driver", "vfs",
	}, args...)
}

func (p *podman) Version(t *testing.T) string {
	t.Helper()
	return tool.MustRun(t, p.env, "podman", p.args("--version")...).Stdout
}

func (p *podman) Pull(t *testing.T, reference string) (string, tool.Output) {
	t.Helper()
	return "podman pull --quiet --tls-verify=false " + reference,
		tool.Run(t, p.env, "podman", p.args("pull", "--quiet", "--tls-verify=false", "--signature-policy", filepath.Join(p.folder, "policy.json"), reference)...)
}

func (p *podman) Folders() []string { return []string{p.folder} }

// Check looks at the files that containers would see: Podman's store keeps
// layers unpacked, so nothing in it has the digest that it had on the wire.
func (p *podman) Check(t *testing.T, reference string, image origin.Image, arrived bool) {
	t.Helper()
	if has := tool.Run(t, p.env, "podman", p.args("image", "exists", reference)...).Code == 0; has != arrived {
		t.Errorf("%s in podman's store: got %t, want %t", reference, has, arrived)
	}
	payload, err := os.ReadFile(tool.Path("payload"))
	check(t, err)
	salts, err := filepath.Glob(filepath.Join(p.folder, "root/vfs/dir/*/salt"))
	check(t, err)
	unpacked := 0
	for _, file := range salts {
		if salt, err := os.ReadFile(file); err != nil || string(salt) != image.Salt {
			continue
		}
		unpacked++
		got, err := os.ReadFile(strings.TrimSuffix(file, "salt") + "payload")
		if arrived && (err != nil || string(got) != string(payload)) {
			t.Errorf("the program of %s is not what was pushed: %v", reference, err)
		}
	}
	if (unpacked > 0) != arrived {
		t.Errorf("%s is unpacked in %d places", reference, unpacked)
	}
}
