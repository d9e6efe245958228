package nodeconfig_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vouchsafe/nodeconfig"
)

const (
	plainGateway = "http://gateway.internal:5000"
	tlsGateway   = "https://gateway.internal:5000"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// defaults are the registries of a gateway without documents.
var defaults = []string{"docker.io", "ghcr.io", "quay.io", "registry.k8s.io"}

// variants are the requests for which every runtime has golden files.
func variants(t *testing.T) map[string]nodeconfig.Request {
	t.Helper()
	return map[string]nodeconfig.Request{
		"plain":      {Gateway: plainGateway, Registries: defaults},
		"plain-port": {Gateway: plainGateway, Registries: []string{"registry.acme.com:5000"}, OwnFolders: true, Bootstrap: []string{"boot.acme.com:5000"}},
		"loopback":   {Gateway: "http://127.0.0.1:5000", Registries: defaults},
		"tls":        {Gateway: tlsGateway, Registries: defaults, Authority: authority(t)},
		"tls-port":   {Gateway: tlsGateway, Registries: []string{"docker.io", "registry.acme.com:5000"}, OwnFolders: true, Authority: authority(t)},
	}
}

// authority is a certificate; its text differs from run to run.
func authority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: now, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	check(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWant(t *testing.T, r nodeconfig.Request) nodeconfig.Want {
	t.Helper()
	want, err := nodeconfig.NewWant(r)
	check(t, err)
	return want
}

func newNode(t *testing.T, files map[string]string) (nodeconfig.Node, string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, root, name, text)
	}
	node, err := nodeconfig.OpenNode(root)
	check(t, err)
	return node, root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	at := filepath.Join(root, name)
	check(t, os.MkdirAll(filepath.Dir(at), 0o755))
	check(t, os.WriteFile(at, []byte(text), 0o644))
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	check(t, err)
	return string(text)
}

// TestPlansAreAsTheyWere compares with testdata; UPDATE_GOLDEN=1 writes it anew.
func TestPlansAreAsTheyWere(t *testing.T) {
	for variant, request := range variants(t) {
		for _, runtime := range nodeconfig.Runtimes() {
			t.Run(runtime.String()+"-"+variant, func(t *testing.T) {
				plan, err := nodeconfig.New(runtime, newWant(t, request), nodeconfig.Node{})
				check(t, err)
				var got strings.Builder
				for _, f := range plan.Files {
					content := f.Content
					if len(request.Authority) > 0 {
						content = strings.Replace(content, string(request.Authority), "(the authority)\n", 1)
					}
					fmt.Fprintf(&got, "---- %s %s\n%s", f.Path, f.Mode, content)
				}
				for _, line := range plan.Notes {
					got.WriteString("note: " + line + "\n")
				}
				for _, line := range plan.Left {
					got.WriteString("left: " + line + "\n")
				}
				golden(t, filepath.Join("testdata", runtime.String()+"-"+variant+".golden"), got.String())
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		check(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// befores are nodes as installers leave them, by what they have.
var befores = map[string]map[string]string{
	"nothing": {},
	"Debian": {
		"/etc/containerd/config.toml": "version = 2\n\n[plugins]\n  [plugins.\"io.containerd.grpc.v1.cri\"]\n    [plugins.\"io.containerd.grpc.v1.cri\".cni]\n      bin_dir = \"/usr/lib/cni\"\n",
		"/etc/containers/policy.json": `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker-daemon":{"":[{"type":"insecureAcceptAnything"}]}}}`,
		"/etc/docker/daemon.json":     "{\n\t\"insecure-registries\": [\"old.example:5000\"],\n\t\"log-driver\": \"journald\"\n}\n",
	},
	"config.toml of version 3, whole": {
		"/etc/containerd/config.toml":        "version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n[plugins]\n  [plugins.'io.containerd.cri.v1.images']\n    snapshotter = 'overlayfs'\n\n    [plugins.'io.containerd.cri.v1.images'.registry]\n      config_path = ''\n\n  [plugins.'io.containerd.cri.v1.runtime']\n    enable_selinux = false\n",
		"/etc/crio/crio.conf.d/10-crio.conf": "[crio.image]\nsignature_policy = \"/etc/crio/policy.json\"\n",
		"/etc/crio/policy.json":              `{"default": [{"type": "insecureAcceptAnything"}]}`,
	},
	"a table without config_path, another folder": {
		"/etc/containerd/config.toml":     "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n[plugins.\"io.containerd.grpc.v1.cri\".registry.headers]\n  X-A = [\"b\"]\n",
		"/etc/containers/registries.conf": "unqualified-search-registries = [\"docker.io\", \"quay.io\"]\n[[registry]]\nlocation = \"docker.io\"\n",
		"/etc/rancher/k3s/config.yaml":    "node-name: a\n",
	},
	"config_path elsewhere": {"/etc/containerd/config.toml": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/opt/certs.d\"\n"},
}

// TestDoctorFindsNothingInWhatWasWritten is the property that binds the two
// halves: whatever was there, what Write leaves is closed, and a second time
// changes nothing.
func TestDoctorFindsNothingInWhatWasWritten(t *testing.T) {
	for variant, request := range variants(t) {
		want := newWant(t, request)
		for before, files := range befores {
			for _, runtime := range nodeconfig.Runtimes() {
				t.Run(fmt.Sprint(runtime, " ", variant, " on ", before), func(t *testing.T) {
					node, root := newNode(t, files)
					plan, err := nodeconfig.New(runtime, want, node)
					check(t, err)
					_, err = plan.Write(node, false, now)
					check(t, err)
					// The registries of this request; quay.io of the search list is rejected.
					report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{runtime})
					check(t, err)
					if !report.Clean() {
						t.Errorf("not clean: %+v", report.Findings)
					}
					again, err := nodeconfig.New(runtime, want, node)
					check(t, err)
					changes, err := again.Write(node, false, now)
					check(t, err)
					for _, change := range changes {
						if change.Action != "unchanged" {
							t.Errorf("the second time: %+v", change)
						}
					}
					for name, text := range files {
						kept := read(t, root, name) == text
						for _, change := range changes {
							kept = kept || change.Path == name
						}
						backups, err := filepath.Glob(filepath.Join(root, name) + ".*.bak")
						check(t, err)
						if !kept && len(backups) != 1 {
							t.Errorf("%s was changed and not kept", name)
						}
					}
				})
			}
		}
	}
}

func TestWriteKeepsEveryOtherLine(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for name, tc := range map[string]struct{ file, before, after string }{
		"config.toml gets a table": {
			"/etc/containerd/config.toml", "# mine\nversion = 2\n[grpc] # here\naddress = \"/a\"\n",
			"# mine\nversion = 2\n[grpc] # here\naddress = \"/a\"\n\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
		},
		"config.toml of version 3 gets its own table": {
			"/etc/containerd/config.toml", "version = 3\n",
			"version = 3\n\n[plugins.\"io.containerd.cri.v1.images\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
		},
		"the table gets a line": {
			"/etc/containerd/config.toml", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry] # mine\n[debug]\n",
			"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry] # mine\n  config_path = \"/etc/containerd/certs.d\"\n[debug]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			node, root := newNode(t, map[string]string{tc.file: tc.before})
			plan, err := nodeconfig.New(nodeconfig.Containerd, want, node)
			check(t, err)
			changes, err := plan.Write(node, false, now)
			check(t, err)
			if got := read(t, root, tc.file); got != tc.after {
				t.Errorf("got\n%s\nwant\n%s", got, tc.after)
			}
			if got := read(t, root, changes[0].Backup); changes[0].Action != "replaced" || got != tc.before {
				t.Errorf("%+v keeps\n%s", changes[0], got)
			}
		})
	}
}

func TestWriteDestroysNothingOfSomebodyElse(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for name, tc := range map[string]struct {
		runtime    nodeconfig.Runtime
		file, text string
	}{
		"a hosts.toml":                     {nodeconfig.Containerd, "/etc/containerd/certs.d/_default/hosts.toml", "server = \"https://mirror.example\"\n"},
		"a hosts.toml of one registry":     {nodeconfig.Containerd, "/etc/containerd/certs.d/quay.io/hosts.toml", "[host.\"https://quay.io\"]\n"},
		"a hosts.toml that cannot be read": {nodeconfig.Containerd, "/etc/containerd/certs.d/quay.io/hosts.toml", "[host"},
		"two folders":                      {nodeconfig.Containerd, "/etc/containerd/config.toml", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/etc/containerd/certs.d:/b\"\n"},
		"a policy with keys":               {nodeconfig.Podman, "/etc/containers/policy.json", `{"default":[{"type":"reject"}],"transports":{"docker":{"docker.io/acme":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}]}}}`},
		"a policy that rejects a registry": {nodeconfig.CRIO, "/etc/containers/policy.json", `{"default":[{"type":"reject"}],"transports":{"docker":{"docker.io":[{"type":"reject"}]}}}`},
		"the list of a drop-in":            {nodeconfig.Podman, "/etc/containers/registries.conf.d/zz-vouchsafe.conf", "[[registry]]\nlocation = \"a.example\"\n"},
		"k3s's registries":                 {nodeconfig.K3s, "/etc/rancher/k3s/registries.yaml", "mirrors:\n  docker.io:\n    endpoint: [\"https://mirror.example\"]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			node, root := newNode(t, map[string]string{tc.file: tc.text})
			plan, err := nodeconfig.New(tc.runtime, want, node)
			check(t, err)
			_, err = plan.Write(node, false, now)
			if !errors.Is(err, nodeconfig.ErrForeign) || !strings.Contains(err.Error(), tc.file) {
				t.Fatalf("got %v, want a refusal that names the file", err)
			}
			if files := list(t, root); len(files) != 1 || read(t, root, tc.file) != tc.text {
				t.Errorf("there are %q", files)
			}
			_, err = plan.Write(node, true, now)
			check(t, err)
			if got := read(t, root, tc.file+".20260102T030405Z.bak"); got != tc.text {
				t.Errorf("kept is %q", got)
			}
			if report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{tc.runtime}); err != nil || !report.Clean() {
				t.Errorf("not clean: %v %+v", err, report.Findings)
			}
		})
	}
}

func list(t *testing.T, root string) (files []string) {
	t.Helper()
	check(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	}))
	return files
}

func TestWhatIsInTheWayIsNamed(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for name, tc := range map[string]struct {
		runtime          nodeconfig.Runtime
		file, text, says string
	}{
		"mirrors": {
			nodeconfig.Containerd, "/etc/containerd/config.toml",
			"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"docker.io\"]\nendpoint = [\"https://a\"]\n", "config.toml:2: registry.mirrors is in the way",
		},
		"version 1":             {nodeconfig.Containerd, "/etc/containerd/config.toml", "disabled_plugins = [\"cri\"]\n", "version is 0, want 2"},
		"an inline table":       {nodeconfig.Containerd, "/etc/containerd/config.toml", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nregistry = {}\n", "cannot be set"},
		"config.toml is broken": {nodeconfig.Containerd, "/etc/containerd/config.toml", "version = 2\n[", "config.toml:2: cannot be read"},
		"policy.json is broken": {nodeconfig.Podman, "/etc/containers/policy.json", "{", "policy.json: cannot be read"},
		"daemon.json is broken": {nodeconfig.Docker, "/etc/docker/daemon.json", "{\"insecure-registries\": 1}", "daemon.json: insecure-registries: cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			node, _ := newNode(t, map[string]string{tc.file: tc.text})
			if _, err := nodeconfig.New(tc.runtime, want, node); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestWantRefuses(t *testing.T) {
	for name, request := range map[string]nodeconfig.Request{
		"no gateway":                          {},
		"no scheme":                           {Gateway: "gateway.internal:5000"},
		"another scheme":                      {Gateway: "ftp://gateway.internal"},
		"a path":                              {Gateway: "https://gateway.internal/v2"},
		"a query":                             {Gateway: "https://gateway.internal?a=b"},
		"a user":                              {Gateway: "https://a:b@gateway.internal"},
		"a quote":                             {Gateway: "https://gateway\"internal"},
		"an authority without TLS":            {Gateway: plainGateway, Authority: authority(t)},
		"an authority that is none":           {Gateway: tlsGateway, Authority: []byte("x")},
		"an authority with a key":             {Gateway: tlsGateway, Authority: append(authority(t), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"})...)},
		"a registry that is none":             {Gateway: tlsGateway, Registries: []string{"acme"}},
		"a bootstrap registry that is none":   {Gateway: tlsGateway, Bootstrap: []string{"a/b"}},
		"the gateway as a bootstrap registry": {Gateway: tlsGateway, Bootstrap: []string{"gateway.internal:5000"}},
	} {
		if _, err := nodeconfig.NewWant(request); err == nil || strings.Contains(err.Error(), ":b@") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
