package nodeconfig_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vouchsafe/nodeconfig"
)

const (
	inHost   = "  capabilities = [\"pull\", \"resolve\"]\n"
	atTop    = "server = \"http://gateway.internal:5000\"\n"
	hubFirst = `"https://registry-1.docker.io"`
)

// undecodable are lines for which one containerd or the other drops the whole
// hosts.toml, and asks the registry itself (seen with 1.6.20 and 2.4.2).
var undecodable = []string{
	`skip_verify = "false"`, `override_path = "false"`, `override_path = 0`, `ca = 5`, `ca = ["a", 5]`, `client = 5`,
	`client = [["/a"]]`, `client = [["/a", 5]]`, `client = [5]`, `header = {x = 5}`, `header = {x = [5]}`, `header = "x"`,
	`dial_timeout = "abc"`, `dial_timeout = 3`, `Skip_verify = "false"`,
}

func TestAHostsFileThatContainerdDropsIsOpen(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	node, root := prepared(t, nodeconfig.Containerd, want)
	whole := read(t, root, byDefault)
	judge := func(t *testing.T, old, text string, line int) {
		t.Helper()
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not in\n%s", old, whole)
		}
		write(t, root, byDefault, strings.Replace(whole, old, text, 1))
		report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd})
		check(t, err)
		place := fmt.Sprintf("%s:%d", byDefault, line)
		if !slices.ContainsFunc(report.Findings, func(f nodeconfig.Finding) bool {
			return f.Level == nodeconfig.Open && f.Place() == place && strings.Contains(f.Why, "cannot decode")
		}) {
			t.Errorf("got %+v, want open at %s", report.Findings, place)
		}
	}
	for _, line := range undecodable {
		t.Run("in a host: "+line, func(t *testing.T) { judge(t, inHost, inHost+line+"\n", 7) })
		t.Run("at the top: "+line, func(t *testing.T) { judge(t, atTop, atTop+line+"\n", 4) })
	}
	for _, list := range []string{`["pull", "resolve", 1]`, `"pull"`, `["bogus"]`, `["pull", "resolve", "referrers"]`} {
		t.Run("capabilities in a host: "+list, func(t *testing.T) { judge(t, inHost, "capabilities = "+list+"\n", 6) })
		t.Run("capabilities at the top: "+list, func(t *testing.T) { judge(t, atTop, atTop+"capabilities = "+list+"\n", 4) })
	}
	t.Run("a server that is a list", func(t *testing.T) { judge(t, atTop, "server = [\"http://gateway.internal:5000\"]\n", 3) })
	t.Run("a second server in other letters", func(t *testing.T) { judge(t, atTop, atTop+"Server = "+hubFirst+"\n", 4) })
	t.Run("hosts in other letters", func(t *testing.T) { judge(t, atTop, atTop+"[HOST."+hubFirst+"]\n", 4) })
	t.Run("a host that is a text", func(t *testing.T) { judge(t, atTop, atTop+"host.x = \"y\"\n", 4) })
	t.Run("an escape of newer TOML", func(t *testing.T) { judge(t, atTop, atTop+"x = \"\\e\"\n", 4) })
	t.Run("an escape in a header", func(t *testing.T) {
		judge(t, "[host.\"http://gateway", "[host.\"http:\\u002f/gateway", 5)
	})
	t.Run("an array of hosts", func(t *testing.T) {
		judge(t, "[host.\"http://gateway.internal:5000\"]", "[[host.\"http://gateway.internal:5000\"]]", 5)
	})
}

func TestAHostsFileThatContainerdDecodesIsClosed(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	node, root := prepared(t, nodeconfig.Containerd, want)
	write(t, root, "/c.pem", "")
	whole := read(t, root, byDefault)
	for _, line := range []string{
		`skip_verify = false`, `override_path = false`, `ca = "/c.pem"`, `ca = ["/c.pem"]`, `client = "/c.pem"`, `client = ["/c.pem"]`,
		`client = [["/c.pem", "/c.pem"]]`, `header = {x = "y", z = ["a", "b"]}`, `dial_timeout = "3s"`, `dial_timeout = ""`,
	} {
		write(t, root, byDefault, strings.Replace(whole, inHost, inHost+line+"\n", 1))
		if report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd}); err != nil || !report.Clean() {
			t.Errorf("%s: got %v %+v", line, err, report.Findings)
		}
	}
}

func TestHostsCountHoweverTheyAreWritten(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	node, root := prepared(t, nodeconfig.Containerd, want)
	whole := read(t, root, byDefault)
	for name, tc := range map[string]struct {
		old, text string
		line      int
		why       string
	}{
		"dotted keys":                      {atTop, atTop + "host." + hubFirst + ".capabilities = [\"pull\", \"resolve\"]\n", 4, "is not the gateway"},
		"dotted keys in quotes":            {atTop, atTop + "\"host\"." + hubFirst + ".skip_verify = false\n", 4, "is not the gateway"},
		"a key below the header of hosts":  {"[host.", "[host]\n" + hubFirst + " = {}\n[host.", 6, "is not the gateway"},
		"the gateway in dotted keys alone": {whole[strings.Index(whole, "[host."):], "host.\"http://gateway.internal:5000\".capabilities = [\"pull\", \"resolve\"]\n", 5, "no [host"},
		"the header of a part alone":       {atTop, atTop + "[host." + hubFirst + ".header]\n", 4, "is not the gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, root, byDefault, strings.Replace(whole, tc.old, tc.text, 1))
			report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.Containerd})
			check(t, err)
			place := fmt.Sprintf("%s:%d", byDefault, tc.line)
			if !slices.ContainsFunc(report.Findings, func(f nodeconfig.Finding) bool {
				return f.Level == nodeconfig.Open && f.Place() == place && strings.Contains(f.Why, tc.why)
			}) {
				t.Errorf("got %+v, want open at %s: %s", report.Findings, place, tc.why)
			}
		})
	}
}

const (
	k3sOption = "/etc/rancher/k3s/config.yaml.d/zzz.yaml"
	k3sUnit   = "/etc/systemd/system/k3s.service"
	k3sDropIn = "/etc/systemd/system/k3s.service.d/10.conf"
	zzz       = "/etc/containers/registries.conf.d/zzz.conf"
	start     = "[Service]\nExecStart=/usr/local/bin/k3s \\\n  server \\\n"
)

// added are files that stand beside what was written.
var added = []struct {
	name       string
	runtime    nodeconfig.Runtime
	file, text string
	level      nodeconfig.Level
	place, why string
}{
	{"another registries.yaml", nodeconfig.K3s, k3sOption, "a: b\nprivate-registry: /other\n", nodeconfig.Open, k3sOption + ":2", `private-registry is "/other"`},
	{"the same registries.yaml", nodeconfig.K3s, k3sOption, "private-registry: " + k3s + "\n", 0, "", ""},
	{"another registries.yaml, relative", nodeconfig.K3s, k3sOption, "private-registry: other\n", nodeconfig.Open, k3sOption + ":1", "relative"},
	{"another registries.yaml on the command line", nodeconfig.K3s, k3sUnit, start + "\t'--private-registry' '/other' \\\n", nodeconfig.Open, k3sUnit + ":4", `private-registry is "/other"`},
	{"Docker", nodeconfig.K3s, k3sOption, "docker: true\n", nodeconfig.Open, k3sOption + ":1", "Docker pulls"},
	{"Docker in YAML 1.1's words", nodeconfig.K3s, k3sOption, "docker: yes\n", nodeconfig.Open, k3sOption + ":1", "Docker pulls"},
	{"no Docker", nodeconfig.K3s, k3sOption, "docker: false\n", 0, "", ""},
	{"Docker on the command line", nodeconfig.K3s, k3sUnit, start + "--docker\n", nodeconfig.Open, k3sUnit + ":4", "Docker pulls"},
	{"another runtime", nodeconfig.K3s, k3sOption, "container-runtime-endpoint: unix:///x\n", nodeconfig.Wrong, k3sOption + ":1", "another runtime"},
	{"another config.yaml", nodeconfig.K3s, k3sUnit, start + "-c /other.yaml\n", nodeconfig.Wrong, k3sUnit + ":4", "not judged here"},
	{"the option is false as a text", nodeconfig.K3s, k3sOption, "disable-default-registry-endpoint: \"false\"\n", nodeconfig.Open, k3sOption + ":1", "unless"},
	{"the command line takes the option away", nodeconfig.K3s, k3sUnit, start + "--disable-default-registry-endpoint=false\n", nodeconfig.Open, k3sUnit + ":4", "unless"},
	{"RKE2 beside it", nodeconfig.K3s, "/etc/rancher/rke2/config.yaml", "a: b\n", nodeconfig.Open, "/etc/rancher/rke2/registries.yaml", "RKE2 asks every registry"},
	{"RKE2 without the option", nodeconfig.K3s, "/etc/rancher/rke2/registries.yaml", "mirrors: {\"*\": {endpoint: [\"http://gateway.internal:5000\"]}}\n", nodeconfig.Open, "/etc/rancher/rke2/config.yaml", "RKE2 asks the registry itself"},

	{"a mirror below another registry", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n[[registry.mirror]]\nlocation = \"gateway.internal:5000/quay.io\"\ninsecure = true\n", nodeconfig.Wrong, zzz + ":5", "other images"},
	{"the right mirror of a blocked registry", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n[[registry.mirror]]\nlocation = \"gateway.internal:5000/docker.io\"\ninsecure = true\n", 0, "", ""},
	{"path form names lead to other images", nodeconfig.Podman, zzz, "[[registry]]\nprefix = \"gateway.internal:5000/docker.io/acme\"\nlocation = \"gateway.internal:5000/quay.io/evil\"\ninsecure = true\n", nodeconfig.Wrong, zzz + ":3", "other images"},
	{"path form names have a mirror of other images", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"gateway.internal:5000/docker.io\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"gateway.internal:5000/quay.io\"\ninsecure = true\n", nodeconfig.Wrong, zzz + ":5", "other images"},
	{"path form names lead to themselves", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"gateway.internal:5000/docker.io/acme\"\ninsecure = true\n", 0, "", ""},
	{"a flag that is a text", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"a.example\"\nblocked = \"true\"\n", nodeconfig.Wrong, zzz + ":3", "blocked is not true or false"},
	{"a location that is a list", nodeconfig.Podman, zzz, "[[registry]]\nprefix = \"a.example\"\nlocation = []\n", nodeconfig.Wrong, zzz + ":3", "location is not a text"},
	{"search registries that are a text", nodeconfig.CRIO, zzz, "unqualified-search-registries = \"docker.io\"\n", nodeconfig.Wrong, zzz + ":1", "not a list of texts"},
	{"a registry that is no list", nodeconfig.Podman, zzz, "[registry]\nlocation = \"a.example\"\n", nodeconfig.Wrong, zzz + ":1", "not a list of tables"},
	{"a mirror with a flag that is a number", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"a.example\"\n[[registry.mirror]]\nlocation = \"a.example\"\ninsecure = 1\n", nodeconfig.Wrong, zzz + ":5", "insecure is not true or false"},
	{"a location in other letters", nodeconfig.Podman, zzz, "[[registry]]\nlocation = \"gateway.internal:5000\"\ninsecure = true\nLocation = \"docker.io\"\n", nodeconfig.Wrong, zzz + ":4", "read as location"},
	{"an alias that is a number", nodeconfig.Podman, zzz, "[aliases]\na = 1\n", nodeconfig.Wrong, zzz + ":2", "alias"},
	{"an alias", nodeconfig.Podman, zzz, "short-name-mode = \"enforcing\"\n[aliases]\na = \"docker.io/a\"\n", 0, "", ""},
}

func TestAFileBesideWhatWasWrittenIsFound(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for _, tc := range added {
		t.Run(fmt.Sprint(tc.runtime, ": ", tc.name), func(t *testing.T) {
			node, root := prepared(t, tc.runtime, want)
			write(t, root, tc.file, tc.text)
			report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{tc.runtime})
			check(t, err)
			if tc.level == 0 {
				if !report.Clean() {
					t.Errorf("got %+v, want nothing", report.Findings)
				}
				return
			}
			if !slices.ContainsFunc(report.Findings, func(f nodeconfig.Finding) bool {
				return f.Level == tc.level && f.Place() == tc.place && strings.Contains(f.Why, tc.why) && f.Remedy != ""
			}) {
				t.Errorf("got %+v, want %s at %s: %s", report.Findings, tc.level, tc.place, tc.why)
			}
		})
	}
}

func TestAnOptionCountsWhereSystemdReadsIt(t *testing.T) {
	const option = "--disable-default-registry-endpoint"
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	for name, tc := range map[string]struct {
		files  map[string]string
		closed bool
	}{
		"on a continued line":               {map[string]string{k3sUnit: start + "\t'" + option + "' \\\n\n"}, true},
		"with a value":                      {map[string]string{k3sUnit: start + option + "=true\n"}, true},
		"behind a comment in between":       {map[string]string{k3sUnit: start + "# more\n" + option + "\n"}, true},
		"commented":                         {map[string]string{k3sUnit: start + "#" + option + "\n"}, false},
		"commented with a semicolon":        {map[string]string{k3sUnit: "; ExecStart=k3s " + option + "\n" + start}, false},
		"in the description":                {map[string]string{k3sUnit: "[Unit]\nDescription=k3s \\\n" + option + "\n" + start}, false},
		"in another section":                {map[string]string{k3sUnit: "[Unit]\nExecStart=k3s " + option + "\n" + start}, false},
		"inside another word":               {map[string]string{k3sUnit: start + "'--node-label=a " + option + " b'\n"}, false},
		"in a drop-in":                      {map[string]string{k3sUnit: start, k3sDropIn: "[Service]\nExecStart=\nExecStart=k3s server " + option + "\n"}, true},
		"in a drop-in of another kind":      {map[string]string{k3sUnit: start, k3sDropIn + ".bak": "[Service]\nExecStart=\nExecStart=k3s server " + option + "\n"}, false},
		"taken away by a drop-in":           {map[string]string{k3sUnit: start + option + "\n", k3sDropIn: "[Service]\nExecStart=\nExecStart=k3s server\n"}, false},
		"taken away by a vendor's drop-in":  {map[string]string{k3sUnit: start + option + "\n", "/usr/lib/systemd/system/k3s.service.d/a.conf": "[Service]\nExecStart=\nExecStart=k3s server\n"}, false},
		"in one of two units":               {map[string]string{k3sUnit: start + option + "\n", "/etc/systemd/system/k3s-agent.service": "[Service]\nExecStart=k3s agent\n"}, false},
		"in a unit that another one covers": {map[string]string{"/usr/lib/systemd/system/k3s.service": start + option + "\n", k3sUnit: start}, false},
	} {
		t.Run(name, func(t *testing.T) {
			node, root := prepared(t, nodeconfig.K3s, want)
			write(t, root, k3sOurs, "a: b\n")
			for file, text := range tc.files {
				write(t, root, file, text)
			}
			report, err := nodeconfig.Examine(node, want, []nodeconfig.Runtime{nodeconfig.K3s})
			check(t, err)
			if report.Clean() != tc.closed {
				t.Errorf("closed: %t, want %t: %+v", report.Clean(), tc.closed, report.Findings)
			}
		})
	}
}

// TestRKE2AloneIsJudged: a node with RKE2 is found, and closed by the same two
// files in its own folder.
func TestRKE2AloneIsJudged(t *testing.T) {
	want := newWant(t, nodeconfig.Request{Gateway: plainGateway, Registries: defaults})
	_, root := prepared(t, nodeconfig.K3s, want)
	node, _ := newNode(t, map[string]string{
		"/etc/rancher/rke2/registries.yaml":      read(t, root, k3s),
		"/etc/rancher/rke2/config.yaml.d/z.yaml": read(t, root, k3sOurs),
	})
	found, err := nodeconfig.Detect(node)
	if err != nil || !slices.Equal(found, []nodeconfig.Runtime{nodeconfig.K3s}) {
		t.Errorf("found %v, %v", found, err)
	}
	if report, err := nodeconfig.Examine(node, want, found); err != nil || !report.Clean() {
		t.Errorf("got %v %+v, want nothing", err, report.Findings)
	}
}
