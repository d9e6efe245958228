package nodes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/node"
	"vouchsafe/e2e/internal/origin"
)

// The places of containerd's files.
const (
	containerdConfig = "/etc/containerd/config.toml"
	containerdHosts  = "/etc/containerd/certs.d"
	defaultHosts     = containerdHosts + "/_default/hosts.toml"
)

// containerdBefore is the config.toml of a node that nobody has prepared.
const containerdBefore = `version = 2

# Set by whoever installed the node.
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/system/pause:1"
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

// containerds are the versions; each has a folder for its program, or is the
// system's.
func containerds() map[string]string {
	return map[string]string{"1.6": "", "2.4": os.Getenv(containerd2Folder)}
}

// kubelet is a node whose containerd reads the machine's own files.
type kubelet struct {
	*world
	bin string
	*node.Containerd
}

// newKubelet has client-config write the files and starts containerd on them.
func newKubelet(t *testing.T, w *world, bin string) *kubelet {
	t.Helper()
	replaceFolder(t, "/etc/containerd")
	check(t, os.WriteFile(containerdConfig, []byte(containerdBefore), 0o644))
	if out := w.clientConfig(t, "containerd"); out.Code != 0 {
		t.Fatalf("client-config: exit %d", out.Code)
	}
	w.at.Push(t, "system/pause", "1", "pause")
	k := &kubelet{world: w, bin: bin}
	k.Containerd = k.start(t)
	return k
}

func (k *kubelet) start(t *testing.T) *node.Containerd {
	t.Helper()
	return node.StartWith(t, k.bin, containerdConfig, "SSL_CERT_FILE="+k.roots)
}

// restarted is the node after a restart of containerd, for config.toml.
func (k *kubelet) restarted(t *testing.T) *kubelet {
	t.Helper()
	return &kubelet{world: k.world, bin: k.bin, Containerd: k.start(t)}
}

func (k *kubelet) checkRuns(t *testing.T, reference string, image origin.Image) {
	t.Helper()
	check(t, k.Pull(t, reference))
	if output, code := k.Run(t, reference); code != 0 || !strings.Contains(output, "hello from "+image.Salt) {
		t.Errorf("a container of %s: exit %d, printed %q", reference, code, output)
	}
}

func (k *kubelet) checkRefused(t *testing.T, reference, shown string) {
	t.Helper()
	if err := k.Pull(t, reference); err == nil || !strings.Contains(err.Error(), shown) {
		t.Errorf("pull %s: got %v, want an error with %q", reference, err, shown)
	}
	if k.Has(t, reference) {
		t.Errorf("%s is on the node", reference)
	}
}

func TestContainerdKeepsToTheGatewayByTheWrittenFiles(t *testing.T) {
	for version, bin := range containerds() {
		for _, withTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %t", version, withTLS), func(t *testing.T) {
				w := newWorld(t, withTLS)
				k := newKubelet(t, w, bin)
				w.checkClean(t, "containerd")
				if out := w.clientConfig(t, "containerd"); out.Code != 0 || strings.Contains(out.Stdout, "written") || strings.Contains(out.Stdout, "replaced") {
					t.Errorf("the second time: exit %d", out.Code)
				}
				if after, err := os.ReadFile(containerdConfig); err != nil || !strings.HasPrefix(string(after), containerdBefore) {
					t.Errorf("config.toml has lost what it had: %v\n%s", err, after)
				}
				signed, unsigned := w.push(t, true), w.push(t, false)
				again, other := w.push(t, true), w.push(t, false)
				w.at.Reset()
				k.checkRuns(t, "docker.io/"+signed.Repository+":1", signed)
				k.checkRuns(t, withPort+"/"+again.Repository+":1", again)
				k.checkRefused(t, "docker.io/"+unsigned.Repository+":1", "403 Forbidden")
				k.checkRefused(t, withPort+"/"+other.Repository+"@"+other.Digest, "403 Forbidden")
				k.checkRefused(t, unlisted+"/"+unsigned.Repository+":1", "not found")
				if requests := w.around(t); len(requests) > 0 {
					t.Errorf("the registry was asked by another than the gateway: %v", requests)
				}
				if len(w.at.Requests("/v2/")) == 0 {
					t.Error("the registry was asked nothing, so its record shows nothing")
				}
			})
		}
	}
}

// originHosts is a hosts.toml that sends everything to Docker Hub.
const originHosts = `server = "https://registry-1.docker.io"

[host."https://registry-1.docker.io"]
  capabilities = ["pull", "resolve"]
`

// spoils are what becomes of the written files. The versions are those that go
// round the gateway then; each other refuses as before.
var spoils = []struct {
	name    string
	spoil   func(t *testing.T, w *world)
	restart bool
	level   string
	place   string
	open    []string
}{
	{
		name:  "no server",
		spoil: func(t *testing.T, w *world) { edit(t, defaultHosts, fmt.Sprintf("server = %q\n", w.url), "") },
		level: "open", place: defaultHosts + ":1", open: []string{"1.6", "2.4"},
	},
	{
		name: "the server is the registry",
		spoil: func(t *testing.T, w *world) {
			edit(t, defaultHosts, fmt.Sprintf("server = %q", w.url), `server = "https://registry-1.docker.io"`)
		},
		level: "open", place: defaultHosts + ":3", open: []string{"1.6", "2.4"},
	},
	{
		name:  "no host",
		spoil: func(t *testing.T, w *world) { edit(t, defaultHosts, "", fmt.Sprintf("server = %q\n", w.url)) },
		level: "open", place: defaultHosts + ":1", open: []string{"1.6"},
	},
	{
		name: "a second host is the registry",
		spoil: func(t *testing.T, _ *world) {
			edit(t, defaultHosts, "[\"pull\", \"resolve\"]\n", "[\"pull\", \"resolve\"]\n\n[host.\"https://registry-1.docker.io\"]\n")
		},
		level: "open", place: defaultHosts + ":8", open: []string{"1.6", "2.4"},
	},
	{
		name:  "no resolve",
		spoil: func(t *testing.T, _ *world) { edit(t, defaultHosts, `["pull", "resolve"]`, `["pull"]`) },
		level: "wrong", place: defaultHosts + ":6",
	},
	{
		name:  "a capability that does not exist",
		spoil: func(t *testing.T, _ *world) { edit(t, defaultHosts, `"resolve"`, `"resolv"`) },
		level: "open", place: defaultHosts + ":6", open: []string{"1.6", "2.4"},
	},
	{
		name:  "a bracket that is missing",
		spoil: func(t *testing.T, _ *world) { edit(t, defaultHosts, `"resolve"]`, `"resolve"`) },
		level: "open", place: defaultHosts + ":6", open: []string{"1.6", "2.4"},
	},
	{
		name: "a folder for the registry",
		spoil: func(t *testing.T, _ *world) {
			put(t, containerdHosts+"/docker.io/hosts.toml", originHosts)
		},
		level: "open", place: containerdHosts + "/docker.io/hosts.toml:1", open: []string{"1.6", "2.4"},
	},
	{
		name:    "no config_path",
		spoil:   func(t *testing.T, _ *world) { edit(t, containerdConfig, "", containerdBefore) },
		restart: true, level: "open", place: containerdConfig + ":4", open: []string{"1.6", "2.4"},
	},
	{
		name: "two folders in config_path",
		spoil: func(t *testing.T, _ *world) {
			edit(t, containerdConfig, containerdHosts, containerdHosts+":/etc/docker/certs.d")
		},
		restart: true, level: "open", place: containerdConfig + ":12", open: []string{"2.4"},
	},
	{
		name: "registry.mirrors",
		spoil: func(t *testing.T, w *world) {
			edit(t, containerdConfig, "", containerdBefore+"\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"docker.io\"]\n  endpoint = [\""+w.url+"\"]\n")
		},
		restart: true, level: "open", place: containerdConfig + ":11", open: []string{"1.6", "2.4"},
	},
	{
		name: "an imported file with the plugin's table",
		spoil: func(t *testing.T, _ *world) {
			edit(t, containerdConfig, "version = 2\n", "version = 2\nimports = [\"/etc/containerd/more.toml\"]\n")
			put(t, "/etc/containerd/more.toml", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  max_concurrent_downloads = 3\n")
		},
		restart: true, level: "open", place: "/etc/containerd/more.toml:2", open: []string{"1.6"},
	},
}

func TestDoctorFindsWhatLeadsContainerdRound(t *testing.T) {
	for version, bin := range containerds() {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, false)
			whole := newKubelet(t, w, bin)
			// What else a restart changes is nothing.
			whole.restarted(t).checkRefused(t, "docker.io/"+w.push(t, false).Repository+":1", "403 Forbidden")
			for _, tc := range spoils {
				t.Run(tc.name, func(t *testing.T) {
					tc.spoil(t, w)
					w.checkFound(t, "containerd", tc.level, tc.place)
					k := whole
					if tc.restart {
						k = whole.restarted(t)
					}
					unsigned := w.push(t, false)
					w.at.Reset()
					err := k.Pull(t, "docker.io/"+unsigned.Repository+":1")
					around := len(w.around(t))
					goes := false
					for _, open := range tc.open {
						goes = goes || open == version
					}
					t.Logf("pull: %v; %d requests round the gateway", err, around)
					if (err == nil) != goes || (around > 0) != goes {
						t.Errorf("pull: %v, %d requests round the gateway, want a way round: %t", err, around, goes)
					}
				})
			}
		})
	}
}

// TestClientConfigClosesWhatSomebodyLeft starts with folders that win over
// _default, as installers of nodes leave them.
func TestClientConfigClosesWhatSomebodyLeft(t *testing.T) {
	w := newWorld(t, false)
	replaceFolder(t, "/etc/containerd")
	check(t, os.WriteFile(containerdConfig, []byte(containerdBefore), 0o644))
	file := containerdHosts + "/docker.io/hosts.toml"
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte(originHosts), 0o644))
	if out := w.clientConfig(t, "containerd"); out.Code != 2 || !strings.Contains(out.Stderr, file+": somebody else wrote it") {
		t.Errorf("exit %d", out.Code)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != originHosts {
		t.Errorf("the refused file is changed: %v", err)
	}
	if _, err := os.Stat(defaultHosts); err == nil {
		t.Error("a part was written")
	}
	if out := w.clientConfig(t, "containerd", "--force"); out.Code != 0 {
		t.Errorf("with --force: exit %d", out.Code)
	}
	kept, err := filepath.Glob(file + ".*.bak")
	check(t, err)
	if len(kept) != 1 {
		t.Errorf("what was there is kept as %q", kept)
	}
	w.checkClean(t, "containerd")
}
