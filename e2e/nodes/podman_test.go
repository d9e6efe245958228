package nodes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/tool"
)

const (
	podmanBlocks = "/etc/containers/registries.conf.d/zz-vouchsafe.conf"
	podmanPolicy = "/etc/containers/policy.json"
)

// podmanBefore is the policy that distributions ship.
const podmanBefore = `{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker-daemon": {"": [{"type": "insecureAcceptAnything"}]}}}`

// engine is a Podman on the machine's own files, with a store of its own.
type engine struct {
	*world
	folder string
}

func newEngine(t *testing.T, w *world) *engine {
	t.Helper()
	replaceFolder(t, "/etc/containers")
	check(t, os.WriteFile(podmanPolicy, []byte(podmanBefore), 0o644))
	if out := w.clientConfig(t, "podman"); out.Code != 0 {
		t.Fatalf("client-config: exit %d", out.Code)
	}
	folder, err := os.MkdirTemp("", "vn-") // Podman takes paths of at most 50 characters
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(folder)) })
	check(t, os.WriteFile(filepath.Join(folder, "containers.conf"), []byte("[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nlock_type = \"file\"\n"), 0o600))
	return &engine{world: w, folder: folder}
}

func (e *engine) podman(t *testing.T, args ...string) tool.Output {
	t.Helper()
	where := []string{
		"--root", e.folder + "/root", "--runroot", e.folder + "/run", "--tmpdir", e.folder + "/tmp", "--storage-driver", "vfs",
	}
	return tool.Run(t, []string{"CONTAINERS_CONF=" + e.folder + "/containers.conf", "SSL_CERT_FILE=" + e.roots}, "podman", append(where, args...)...)
}

func (e *engine) checkPulls(t *testing.T, reference string, arrives bool, shown string) {
	t.Helper()
	out := e.podman(t, "pull", "--quiet", reference)
	if (out.Code == 0) != arrives || !strings.Contains(out.Stderr, shown) {
		t.Errorf("pull %s: exit %d, want it to arrive: %t, and %q", reference, out.Code, arrives, shown)
	}
}

func TestPodmanKeepsToTheGatewayByTheWrittenFiles(t *testing.T) {
	for _, withTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", withTLS), func(t *testing.T) {
			w := newWorld(t, withTLS)
			e := newEngine(t, w)
			w.checkClean(t, "podman")
			if out := w.clientConfig(t, "podman"); out.Code != 0 || strings.Contains(out.Stdout, "written") || strings.Contains(out.Stdout, "replaced") {
				t.Errorf("the second time: exit %d", out.Code)
			}
			signed, unsigned := w.push(t, true), w.push(t, false)
			w.at.Reset()
			e.checkPulls(t, "docker.io/"+signed.Repository+":1", true, "")
			e.checkPulls(t, withPort+"/"+signed.Repository+":1", true, "")
			e.checkPulls(t, w.g.Host+"/docker.io/"+signed.Repository+":1", true, "")
			e.checkPulls(t, "docker.io/"+unsigned.Repository+":1", false, "refused by policy prod-signed")
			e.checkPulls(t, withPort+"/"+unsigned.Repository+"@"+unsigned.Digest, false, "refused by policy prod-signed")
			if requests := w.around(t); len(requests) > 0 {
				t.Errorf("the registry was asked by another than the gateway: %v", requests)
			}
			if len(w.at.Requests("/v2/")) == 0 {
				t.Error("the registry was asked nothing, so its record shows nothing")
			}
			// The policy is looked at when the manifest is there: the registry is
			// asked for that, and for no content.
			e.checkPulls(t, unlisted+"/"+unsigned.Repository+":1", false, "rejected by policy")
			if requests := w.at.Requests("/blobs/" + unsigned.Blobs[0]); len(requests) > 0 {
				t.Errorf("content of a rejected image was fetched: %v", requests)
			}
		})
	}
}

func TestDoctorFindsWhatLeadsPodmanRound(t *testing.T) {
	w := newWorld(t, false)
	e := newEngine(t, w)
	hub := fmt.Sprintf("prefix = \"docker.io\"\nlocation = \"%s/docker.io\"\ninsecure = true\n", w.g.Host)
	mirror := fmt.Sprintf("[[registry.mirror]]\nlocation = \"%s/docker.io\"\ninsecure = true\n", w.g.Host)
	for _, tc := range []struct {
		name      string
		spoil     func(t *testing.T)
		reference string
		place     string
		// round: the refused image arrives.
		round bool
	}{
		{"the location is the registry", func(t *testing.T) {
			edit(t, podmanBlocks, hub, "prefix = \"docker.io\"\nlocation = \"docker.io\"\n")
		}, "docker.io", podmanBlocks + ":6", true},
		{"the gateway is a mirror", func(t *testing.T) {
			edit(t, podmanBlocks, hub, "location = \"docker.io\"\n"+mirror)
		}, "docker.io", podmanBlocks + ":5", true},
		{"a mirror for digests alone", func(t *testing.T) {
			edit(t, podmanBlocks, hub, "location = \"docker.io\"\nmirror-by-digest-only = true\n"+mirror)
		}, "docker.io", podmanBlocks + ":5", true},
		{"blocked under another name", func(t *testing.T) {
			edit(t, podmanBlocks, hub, "prefix = \"docker.io\"\nlocation = \"registry-1.docker.io\"\nblocked = true\n"+mirror)
		}, "docker.io", podmanBlocks + ":7", true},
		{"a drop-in that comes later", func(t *testing.T) {
			put(t, "/etc/containers/registries.conf.d/zzz.conf", "[[registry]]\nlocation = \"docker.io\"\n")
		}, "docker.io", "/etc/containers/registries.conf.d/zzz.conf:2", true},
		{"a drop-in that comes before", func(t *testing.T) {
			put(t, "/etc/containers/registries.conf.d/000.conf", "[[registry]]\nlocation = \"docker.io/acme/other\"\n")
		}, "docker.io", "/etc/containers/registries.conf.d/000.conf:2", false},
		{"a block for a part of the registry", func(t *testing.T) {
			put(t, "/etc/containers/registries.conf.d/000.conf", "[[registry]]\nlocation = \"docker.io/acme\"\n")
		}, "docker.io", "/etc/containers/registries.conf.d/000.conf:2", true},
		{"no policy for other registries", func(t *testing.T) {
			edit(t, podmanPolicy, "", podmanBefore)
		}, unlisted, podmanPolicy + ":1", true},
		{"another registry let in", func(t *testing.T) {
			edit(t, podmanPolicy, `"docker.io": [`, `"`+unlisted+`": [{"type": "insecureAcceptAnything"}],
      "docker.io": [`)
		}, unlisted, podmanPolicy + ":19", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spoil(t)
			w.checkFound(t, "podman", "open", tc.place)
			unsigned := w.push(t, false)
			w.at.Reset()
			out := e.podman(t, "pull", "--quiet", tc.reference+"/"+unsigned.Repository+":1")
			around := len(w.around(t))
			t.Logf("%d requests round the gateway", around)
			if (out.Code == 0) != tc.round || (around > 0) != tc.round {
				t.Errorf("pull: exit %d, %d requests round the gateway, want a way round: %t", out.Code, around, tc.round)
			}
		})
	}
}
