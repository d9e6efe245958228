package nodeconfig_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vouchsafe/nodeconfig"
)

const (
	config    = "/etc/containerd/config.toml"
	byDefault = "/etc/containerd/certs.d/_default/hosts.toml"
	hub       = "/etc/containerd/certs.d/docker.io/hosts.toml"
	blocks    = "/etc/containers/registries.conf.d/zz-vouchsafe.conf"
	policy    = "/etc/containers/policy.json"
	k3s       = "/etc/rancher/k3s/registries.yaml"
	k3sOurs   = "/etc/rancher/k3s/config.yaml.d/zz-vouchsafe.yaml"
	daemon    = "/etc/docker/daemon.json"
)

// prepared is a node with the files for a runtime.
func prepared(t *testing.T, runtime nodeconfig.Runtime, want nodeconfig.Want) (nodeconfig.Node, string) {
	t.Helper()
	node, root := newNode(t, nil)
	plan, err := nodeconfig.New(runtime, want, node)
	check(t, err)
	_, err = plan.Write(node, false, now)
	check(t, err)
	return node, root
}

// cri is the header of the table that counts, in a file of version 2.
const cri = "[plugins.\"io.containerd.grpc.v1.cri\".registry"

// mutations are what becomes of the written files, and what must be found. An
// empty old text stands for the whole file, which need not be there before.
var mutations = []struct {
	name      string
	runtime   nodeconfig.Runtime
	gateway   string
	file      string
	old, text string
	level     nodeconfig.Level
	registry  string
	place     string
	why       string
}{
	{"no server", nodeconfig.Containerd, plainGateway, byDefault, "server = \"http://gateway.internal:5000\"\n", "", nodeconfig.Open, "every other registry", byDefault + ":1", "no server"},
	{"the server is the origin", nodeconfig.Containerd, plainGateway, byDefault, "server = \"http://gateway.internal:5000\"", `server = "https://docker.io"`, nodeconfig.Open, "every other registry", byDefault + ":3", `server is "https://docker.io"`},
	{"the server is another port", nodeconfig.Containerd, plainGateway, byDefault, "server = \"http://gateway.internal:5000\"", `server = "http://gateway.internal:5001"`, nodeconfig.Open, "every other registry", byDefault + ":3", "server is"},
	{"the server is empty", nodeconfig.Containerd, plainGateway, byDefault, "server = \"http://gateway.internal:5000\"", `server = ""`, nodeconfig.Open, "every other registry", byDefault + ":3", "no server"},
	{"no host", nodeconfig.Containerd, plainGateway, byDefault, "", "server = \"http://gateway.internal:5000\"\n", nodeconfig.Open, "every other registry", byDefault + ":1", "no [host"},
	{"a host in an inline table", nodeconfig.Containerd, plainGateway, byDefault, "", "server = \"http://gateway.internal:5000\"\nhost = {\"http://gateway.internal:5000\" = {}}\n", nodeconfig.Open, "every other registry", byDefault + ":2", "no [host"},
	{"a second host", nodeconfig.Containerd, plainGateway, byDefault, "[host.", "[host.\"https://quay.io\"]\n[host.", nodeconfig.Open, "every other registry", byDefault + ":5", `host "https://quay.io" is not the gateway`},
	{"a host with a password", nodeconfig.Containerd, plainGateway, byDefault, "[host.", "[host.\"https://u:secret@quay.io\"]\n[host.", nodeconfig.Open, "every other registry", byDefault + ":5", "xxxxx"},
	{"no resolve", nodeconfig.Containerd, plainGateway, byDefault, `"pull", "resolve"`, `"pull"`, nodeconfig.Wrong, "every other registry", byDefault + ":6", `no capability "resolve"`},
	{"no resolve, and no server", nodeconfig.Containerd, plainGateway, byDefault, "", "[host.\"http://gateway.internal:5000\"]\ncapabilities = [\"pull\"]\n", nodeconfig.Open, "every other registry", byDefault + ":2", "tags are resolved at the registry itself"},
	{"no pull", nodeconfig.Containerd, plainGateway, byDefault, `"pull", "resolve"`, `"resolve"`, nodeconfig.Wrong, "every other registry", byDefault + ":6", `no capability "pull"`},
	{"an unknown capability", nodeconfig.Containerd, plainGateway, byDefault, `"resolve"`, `"resolv"`, nodeconfig.Open, "every other registry", byDefault + ":6", "a list of capabilities that every containerd knows"},
	{"no TOML", nodeconfig.Containerd, plainGateway, byDefault, `"resolve"]`, `"resolve"`, nodeconfig.Open, "every other registry", byDefault + ":6", "drops a hosts.toml"},
	{"an empty file", nodeconfig.Containerd, plainGateway, byDefault, "", "", nodeconfig.Open, "every other registry", byDefault, "no hosts.toml, or an empty one"},
	{"override_path", nodeconfig.Containerd, plainGateway, byDefault, "  capabilities", "  override_path = true\n  capabilities", nodeconfig.Wrong, "every other registry", byDefault + ":6", "another path"},
	{"a path", nodeconfig.Containerd, plainGateway, byDefault, "[host.\"http://gateway.internal:5000\"", "[host.\"http://gateway.internal:5000/v2/docker.io\"", nodeconfig.Wrong, "every other registry", byDefault + ":5", "another path"},
	{"HTTPS to plain HTTP", nodeconfig.Containerd, plainGateway, byDefault, "server = \"http:", "server = \"https:", nodeconfig.Wrong, "every other registry", byDefault + ":3", "server is https, the gateway is http"},
	{"HTTP to TLS", nodeconfig.Containerd, tlsGateway, byDefault, "[host.\"https:", "[host.\"http:", nodeconfig.Wrong, "every other registry", byDefault + ":5", "can pose as the gateway"},
	{"skip_verify", nodeconfig.Containerd, tlsGateway, byDefault, "  capabilities", "  skip_verify = true\n  capabilities", nodeconfig.Wrong, "every other registry", byDefault + ":6", "skip_verify"},
	{"an authority that is not there", nodeconfig.Containerd, tlsGateway, byDefault, "  capabilities", "  ca = \"gone.pem\"\n  capabilities", nodeconfig.Wrong, "every other registry", byDefault + ":6", "not there"},
	{"a folder of its own", nodeconfig.Containerd, plainGateway, hub, "", "server = \"https://registry-1.docker.io\"\n", nodeconfig.Open, "docker.io", hub + ":1", "server is"},
	{"an empty folder with a port", nodeconfig.Containerd, plainGateway, "/etc/containerd/certs.d/a.example_5000_/hosts.toml", "", "", nodeconfig.Open, "a.example:5000", "/etc/containerd/certs.d/a.example_5000_/hosts.toml", "no hosts.toml"},
	{"no config_path", nodeconfig.Containerd, plainGateway, config, "", "version = 2\n", nodeconfig.Open, "every registry", config + ":1", "no config_path"},
	{"config_path for another version", nodeconfig.Containerd, plainGateway, config, "version = 2", "version = 3", nodeconfig.Open, "every registry", config + ":1", "no config_path"},
	{"two folders", nodeconfig.Containerd, plainGateway, config, "/etc/containerd/certs.d", "/etc/containerd/certs.d:/etc/docker/certs.d", nodeconfig.Open, "every registry", config + ":5", "names 2 folders"},
	{"another folder", nodeconfig.Containerd, plainGateway, config, "/etc/containerd/certs.d", "/etc/containerd/other", nodeconfig.Open, "every other registry", "/etc/containerd/other/_default/hosts.toml", "no folder _default"},
	{"a relative folder", nodeconfig.Containerd, plainGateway, config, "/etc/containerd/certs.d", "certs.d", nodeconfig.Wrong, "every registry", config + ":5", "relative"},
	{"registry.mirrors", nodeconfig.Containerd, plainGateway, config, cri + "]\n", cri + ".mirrors.\"docker.io\"]\nendpoint = [\"http://gateway.internal:5000\"]\n" + cri + "]\n", nodeconfig.Open, "docker.io", config + ":4", "registry.mirrors"},
	{"registry.configs", nodeconfig.Containerd, plainGateway, config, cri + "]\n", cri + ".configs.\"a.example\".auth]\nusername = \"u\"\n" + cri + "]\n", nodeconfig.Note, "a.example", config + ":4", "registry.configs"},

	{"the location is the origin", nodeconfig.Podman, plainGateway, blocks, `"gateway.internal:5000/docker.io"`, `"docker.io"`, nodeconfig.Open, "docker.io", blocks + ":6", "location is"},
	{"the location is another registry's", nodeconfig.Podman, plainGateway, blocks, `"gateway.internal:5000/docker.io"`, `"gateway.internal:5000/quay.io"`, nodeconfig.Wrong, "docker.io", blocks + ":6", "other images"},
	{"a wildcard to another registry", nodeconfig.Podman, plainGateway, blocks, "prefix = \"docker.io\"\nlocation = \"gateway.internal:5000/docker.io\"", "prefix = \"*.io\"\nlocation = \"gateway.internal:5000/quay.io\"", nodeconfig.Wrong, "docker.io", blocks + ":6", "other images"},
	{"a mirror that is not the gateway", nodeconfig.CRIO, plainGateway, blocks, "insecure = true\n\n[[registry]]\nprefix = \"ghcr.io\"", "insecure = true\n[[registry.mirror]]\nlocation = \"a.example\"\n[[registry]]\nprefix = \"ghcr.io\"", nodeconfig.Open, "docker.io", blocks + ":9", "mirror \"a.example\""},
	{"the gateway as a mirror", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf.d/zzz.conf", "", "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"gateway.internal:5000/docker.io\"\ninsecure = true\n", nodeconfig.Open, "docker.io", "/etc/containers/registries.conf.d/zzz.conf:2", "a refusal included"},
	{"the gateway as a mirror for digests", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf.d/zzz.conf", "", "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"gateway.internal:5000/docker.io\"\npull-from-mirror = \"digest-only\"\n", nodeconfig.Wrong, "docker.io", "/etc/containers/registries.conf.d/zzz.conf:5", "digest-only"},
	{"mirror-by-digest-only", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf.d/zzz.conf", "", "[[registry]]\nlocation = \"docker.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"gateway.internal:5000/docker.io\"\n", nodeconfig.Wrong, "docker.io", "/etc/containers/registries.conf.d/zzz.conf:3", "mirror-by-digest-only"},
	{"blocked under another name", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf.d/zzz.conf", "", "[[registry]]\nprefix = \"docker.io\"\nlocation = \"a.example\"\nblocked = true\n", nodeconfig.Open, "docker.io", "/etc/containers/registries.conf.d/zzz.conf:4", "blocked has no effect"},
	{"a part of a registry", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf.d/000.conf", "", "[[registry]]\nlocation = \"docker.io/acme\"\n", nodeconfig.Open, "docker.io", "/etc/containers/registries.conf.d/000.conf:2", "location is"},
	{"names of the gateway lead elsewhere", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf.d/zzz.conf", "", "[[registry]]\nprefix = \"gateway.internal:5000/docker.io\"\nlocation = \"docker.io\"\n", nodeconfig.Open, "gateway.internal:5000/docker.io", "/etc/containers/registries.conf.d/zzz.conf:3", "lead to"},
	{"insecure with TLS", nodeconfig.Podman, tlsGateway, blocks, "location = \"gateway.internal:5000/docker.io\"\n", "location = \"gateway.internal:5000/docker.io\"\ninsecure = true\n", nodeconfig.Wrong, "docker.io", blocks + ":7", "insecure"},
	{"no insecure with plain HTTP", nodeconfig.Podman, plainGateway, blocks, "location = \"gateway.internal:5000/docker.io\"\ninsecure = true\n", "location = \"gateway.internal:5000/docker.io\"\n", nodeconfig.Wrong, "docker.io", blocks + ":4", "pulls fail"},
	{"a policy for everything", nodeconfig.Podman, plainGateway, policy, "", `{"default":[{"type":"insecureAcceptAnything"}]}`, nodeconfig.Open, "every other registry", policy + ":1", "says nothing of"},
	{"a policy that lets another registry in", nodeconfig.CRIO, plainGateway, policy, "\"docker\": {", "\"docker\": {\n\"a.example/b\": [{\"type\":\"insecureAcceptAnything\"}],", nodeconfig.Open, "a.example", policy + ":9", "no [[registry]]"},
	{"a policy for atomic", nodeconfig.Podman, plainGateway, policy, "\"docker\": {", "\"atomic\": {\"a.example\": [{\"type\":\"insecureAcceptAnything\"}]},\n\"docker\": {", nodeconfig.Wrong, "a.example", policy + ":8", "atomic"},
	{"a search registry, and a policy for everything", nodeconfig.Podman, plainGateway, blocks, `registries = ["docker.io"]`, `registries = ["docker.io", "a.example"]`, 0, "", "", ""},
	{"version 1", nodeconfig.Podman, plainGateway, "/etc/containers/registries.conf", "", "[registries.search]\nregistries = [\"a.example\"]\n", nodeconfig.Wrong, "every registry", "/etc/containers/registries.conf:1", "version 1"},
	{"a user's registries.conf", nodeconfig.Podman, plainGateway, "/home/a/.config/containers/registries.conf", "", "", nodeconfig.Wrong, "every registry", "/home/a/.config/containers/registries.conf:1", "takes the place"},
	{"a policy of CRI-O's own", nodeconfig.CRIO, plainGateway, "/etc/crio/crio.conf.d/10.conf", "", "[crio.image]\nsignature_policy = \"/etc/crio/p.json\"\n", nodeconfig.Wrong, "every other registry", "/etc/crio/p.json", "no policy"},

	{"a registry mirror", nodeconfig.Docker, plainGateway, daemon, "{", "{\n\"registry-mirrors\": [\"https://a.example\"],", nodeconfig.Open, "docker.io", daemon + ":2", "registry-mirrors has"},
	{"the gateway as registry mirror", nodeconfig.Docker, plainGateway, daemon, "{", "{\n\"registry-mirrors\": [\"http://gateway.internal:5000\"],", nodeconfig.Open, "docker.io", daemon + ":2", "what it refuses"},
	{"no insecure registry", nodeconfig.Docker, plainGateway, daemon, "gateway.internal", "other.internal", nodeconfig.Wrong, "gateway.internal:5000", daemon + ":2", "pulls fail"},
	{"an insecure registry with TLS", nodeconfig.Docker, tlsGateway, daemon, "", `{"insecure-registries":["gateway.internal:5000"]}`, nodeconfig.Wrong, "gateway.internal:5000", daemon + ":1", "pose as it"},
	{"a password", nodeconfig.Docker, plainGateway, "/root/.docker/config.json", "", "{\"auths\":{\n\"https://index.docker.io/v1/\":{\"auth\":\"eA==\"}}}", nodeconfig.Note, "index.docker.io", "/root/.docker/config.json:2", "credentials"},

	{"no mirror for all", nodeconfig.K3s, plainGateway, k3s, "\"*\"", "\"a.example\"", nodeconfig.Open, "every other registry", k3s + ":2", "no mirror"},
	{"another endpoint", nodeconfig.K3s, plainGateway, k3s, "  \"docker.io\":\n    endpoint:\n", "  \"docker.io\":\n    endpoint:\n      - \"https://a.example\"\n", nodeconfig.Open, "docker.io", k3s + ":8", "is not the gateway"},
	{"no endpoint", nodeconfig.K3s, plainGateway, k3s, "", "mirrors:\n  \"*\": {}\n", nodeconfig.Open, "every other registry", k3s + ":2", "no endpoint"},
	{"a rewrite", nodeconfig.K3s, plainGateway, k3s, "  \"docker.io\":\n", "  \"docker.io\":\n    rewrite: {\"a\": \"b\"}\n", nodeconfig.Wrong, "docker.io", k3s + ":7", "rewrite"},
	{"HTTP to TLS", nodeconfig.K3s, tlsGateway, k3s, "", "mirrors:\n  \"*\": {endpoint: [\"http://gateway.internal:5000\"]}\n", nodeconfig.Wrong, "every other registry", k3s + ":2", "endpoint is http"},
	{"no option", nodeconfig.K3s, plainGateway, k3sOurs, "", "a: b\n", nodeconfig.Open, "every registry", "/etc/rancher/k3s/config.yaml", "unless disable-default-registry-endpoint"},
	{"a later drop-in", nodeconfig.K3s, plainGateway, "/etc/rancher/k3s/config.yaml.d/zzz.yaml", "", "disable-default-registry-endpoint: false\n", nodeconfig.Open, "every registry", "/etc/rancher/k3s/config.yaml.d/zzz.yaml:1", "unless"},
	{"a template", nodeconfig.K3s, plainGateway, "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl", "", "", nodeconfig.Wrong, "every registry", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl:1", "template"},
}

func TestEachMutationOfWhatWasWrittenIsFound(t *testing.T) {
	for _, tc := range mutations {
		t.Run(fmt.Sprint(tc.runtime, ": ", tc.name), func(t *testing.T) {
			want := newWant(t, nodeconfig.Request{Gateway: tc.gateway, Registries: defaults})
			node, root := prepared(t, tc.runtime, want)
			text := tc.text
			if tc.old != "" {
				before := read(t, root, tc.file)
				if !strings.Contains(before, tc.old) {
					t.Fatalf("%q is not in\n%s", tc.old, before)
				}
				text = strings.Replace(before, tc.old, tc.text, 1)
			}
			write(t, root, tc.file, text)
			report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{tc.runtime})
			check(t, err)
			if tc.level == 0 {
				if !report.Clean() {
					t.Errorf("got %+v, want nothing", report.Findings)
				}
				return
			}
			found := slices.ContainsFunc(report.Findings, func(f nodeconfig.Finding) bool {
				return f.Level == tc.level && f.Runtime == tc.runtime && f.Registry == tc.registry && f.Place() == tc.place &&
					strings.Contains(f.Why, tc.why) && (f.Remedy != "") == (f.Level != nodeconfig.Note)
			})
			if !found {
				t.Errorf("got %+v, want %s for %s at %s: %s", report.Findings, tc.level, tc.registry, tc.place, tc.why)
			}
			if clean := tc.level == nodeconfig.Note; report.Clean() != clean {
				t.Errorf("clean: %t, want %t: %+v", report.Clean(), clean, report.Findings)
			}
			if strings.Contains(fmt.Sprint(report.Findings), "secret") {
				t.Error("a password is shown")
			}
		})
	}
}

// harmless are the lines without which the files are as closed as before: a host
// that says nothing has every capability.
var harmless = []string{"unqualified-search-registries", "capabilities"}

// TestNoLineCanBeLeftOut leaves each line of what was written away, one after the
// other: something is found, or the file cannot be read.
func TestNoLineCanBeLeftOut(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for runtime, files := range map[nodeconfig.Runtime][]string{
		nodeconfig.Containerd: {config, byDefault},
		nodeconfig.Podman:     {blocks, policy},
		nodeconfig.K3s:        {k3s, k3sOurs},
	} {
		node, root := prepared(t, runtime, want)
		for _, file := range files {
			whole := read(t, root, file)
			lines := strings.SplitAfter(whole, "\n")
			tried := 0
			for i, line := range lines {
				if text := strings.TrimSpace(line); text == "" || text[0] == '#' || slices.ContainsFunc(harmless, func(h string) bool { return strings.HasPrefix(text, h) }) {
					continue
				}
				tried++
				write(t, root, file, strings.Join(slices.Delete(slices.Clone(lines), i, i+1), ""))
				report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{runtime})
				if err == nil && report.Clean() {
					t.Errorf("%s without %q is called closed", file, line)
				}
				if err != nil && !errors.Is(err, nodeconfig.ErrUnreadable) {
					t.Errorf("%s without %q: %v", file, line, err)
				}
			}
			write(t, root, file, whole)
			if tried == 0 {
				t.Errorf("%s has no line that counts", file)
			}
		}
	}
}

func TestImportsCountAsContainerdReadsThem(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	closed := "version = 2\n" + cri + "]\nconfig_path = \"/etc/containerd/certs.d\"\n"
	closed3 := "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/etc/containerd/certs.d\"\n"
	for name, tc := range map[string]struct {
		main, more string
		place      string
	}{
		"an import without the plugin":                 {"imports = [\"more.toml\"]\n" + closed, "version = 2\n[debug]\n", ""},
		"an import with the plugin's table":            {"imports = [\"more.toml\"]\n" + closed, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nx = 1\n", "/etc/containerd/more.toml:2"},
		"an import with another folder":                {"imports = [\"/etc/containerd/*.toml\"]\n" + closed, "version = 2\n" + cri + "]\nconfig_path = \"/b\"\n", "/b/_default/hosts.toml"},
		"config_path in an import":                     {"version = 2\nimports = [\"more.toml\"]\n", closed, ""},
		"version 3, an import with the plugin's table": {"imports = [\"more.toml\"]\n" + closed3, "version = 3\n[plugins.'io.containerd.cri.v1.images']\nx = 1\n", ""},
		"files that import one another":                {"imports = [\"more.toml\"]\n" + closed, "version = 2\nimports = [\"config.toml\"]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			node, root := prepared(t, nodeconfig.Containerd, want)
			write(t, root, config, tc.main)
			write(t, root, "/etc/containerd/more.toml", tc.more)
			report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd})
			check(t, err)
			if tc.place == "" != report.Clean() || tc.place != "" && report.Findings[0].Place() != tc.place {
				t.Errorf("got %+v, want something at %q", report.Findings, tc.place)
			}
		})
	}
}

func TestABootstrapRegistryIsANote(t *testing.T) {
	request := nodeconfig.Request{Gateway: plainGateway, Registries: defaults, Bootstrap: []string{"boot.acme.com:5000"}}
	want := newWant(t, request)
	request.Bootstrap = nil
	closed := newWant(t, request)
	for _, runtime := range []nodeconfig.Runtime{nodeconfig.Containerd, nodeconfig.CRIO, nodeconfig.Podman, nodeconfig.K3s} {
		node, _ := prepared(t, runtime, want)
		is := func(level nodeconfig.Level) func(nodeconfig.Finding) bool {
			return func(f nodeconfig.Finding) bool { return f.Level == level && f.Registry == "boot.acme.com:5000" }
		}
		report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{runtime})
		if err != nil || !report.Clean() || !slices.ContainsFunc(report.Findings, is(nodeconfig.Note)) {
			t.Errorf("%s: got %v %+v, want a note", runtime, err, report.Findings)
		}
		report, err = nodeconfig.Examine(node, closed, []nodeconfig.Runtime{runtime})
		if err != nil || !slices.ContainsFunc(report.Findings, is(nodeconfig.Open)) {
			t.Errorf("%s: got %v %+v, want a way round for one who did not ask for it", runtime, err, report.Findings)
		}
	}
}

func TestARuntimeWithoutFilesIsOpen(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	node, _ := newNode(t, nil)
	for _, runtime := range []nodeconfig.Runtime{nodeconfig.Containerd, nodeconfig.CRIO, nodeconfig.Podman, nodeconfig.K3s} {
		if report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{runtime}); err != nil || report.Clean() {
			t.Errorf("%s: got %v %+v", runtime, err, report.Findings)
		}
	}
	if found, err := nodeconfig.Detect(node); err != nil || len(found) > 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestFilesThatCannotBeJudgedAreErrors(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for name, spoil := range map[string]func(root string) error{
		"no TOML":   func(root string) error { return os.WriteFile(root+config, []byte("version = \n"), 0o600) },
		"too large": func(root string) error { return os.WriteFile(root+config, make([]byte, 1<<20+1), 0o600) },
		"a folder":  func(root string) error { return errors.Join(os.Remove(root+config), os.Mkdir(root+config, 0o700)) },
		"a circle of links": func(root string) error {
			return errors.Join(os.Remove(root+config), os.Symlink("config.toml", root+config))
		},
	} {
		node, root := prepared(t, nodeconfig.Containerd, want)
		check(t, spoil(root))
		if _, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd}); !errors.Is(err, nodeconfig.ErrUnreadable) || !strings.Contains(err.Error(), config) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestLinksStayBelowTheRoot: an absolute link is one of the node, not of this
// machine.
func TestLinksStayBelowTheRoot(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	node, root := prepared(t, nodeconfig.Containerd, want)
	outside := filepath.Join(t.TempDir(), "config.toml")
	check(t, os.WriteFile(outside, []byte("version = 2\n"), 0o600))
	check(t, os.Rename(root+config, root+"/kept.toml"))
	for _, target := range []string{"/kept.toml", "../../../../kept.toml", "../../kept.toml"} {
		check(t, os.Symlink(target, root+config))
		if report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd}); err != nil || !report.Clean() {
			t.Errorf("%s: %v %+v", target, err, report.Findings)
		}
		check(t, os.Remove(root+config))
	}
	check(t, os.Symlink(outside, root+config))
	if report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd}); err != nil || report.Findings[0].Line != 0 {
		t.Errorf("a file of this machine was read: %v %+v", err, report.Findings)
	}
	plan, err := nodeconfig.New(nodeconfig.Containerd, want, node)
	check(t, err)
	if _, err := plan.Write(node, false, now); err == nil {
		if text, err := os.ReadFile(outside); err != nil || string(text) != "version = 2\n" {
			t.Errorf("a file of this machine was written: %v", err)
		}
	}
}

// FuzzExamine: whatever is in a file, there is an answer.
func FuzzExamine(f *testing.F) {
	files := []string{config, byDefault, blocks, policy, k3s, k3sOurs, daemon}
	for i := range files {
		f.Add(uint8(i), "a = [[1]]\n[[b.c]]\n[b.c.d]\n")
		f.Add(uint8(i), `{"transports": {"docker": {"": 1}}, "default": null}`)
		f.Add(uint8(i), "mirrors: {\"*\": {endpoint: [1, [a]]}}\nconfigs: []\n")
		f.Add(uint8(i), "[[registry]]\nprefix=\"*.\"\n[[registry.mirror]]\n[host.\"\"]\n[host.\"http://[::1\"]\n")
	}
	want, err := nodeconfig.NewWant(nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		node, root := newNode(t, nil)
		write(t, root, files[int(which)%len(files)], text)
		report, err := nodeconfig.Examine(node, want, nodeconfig.Runtimes())
		if report.Clean() {
			t.Errorf("called closed: %v", err)
		}
		for _, r := range nodeconfig.Runtimes() {
			if _, err := nodeconfig.New(r, want, node); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
		}
	})
}
