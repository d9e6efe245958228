package nodeconfig

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	// k3sNoDefault keeps k3s from adding the registry itself behind the endpoints
	// of a mirror.
	k3sNoDefault = "disable-default-registry-endpoint"
	// k3sPrivate names another file in place of registries.yaml.
	k3sPrivate = "private-registry"
)

// distribution is where k3s, or RKE2 which is made of it, has its files.
type distribution struct {
	name string
	// etc holds config.yaml and registries.yaml, templates those of config.toml.
	etc, templates string
	signs          []string
	// units may be in any of [unitFolders].
	units []string
}

var (
	unitFolders = []string{"/usr/lib/systemd/system", "/usr/local/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system"}

	distributions = []distribution{{
		name: "k3s", etc: "/etc/rancher/k3s", templates: "/var/lib/rancher/k3s/agent/etc/containerd",
		signs: []string{"/etc/rancher/k3s", "/usr/local/bin/k3s"},
		units: []string{"k3s.service", "k3s-agent.service"},
	}, {
		name: "RKE2", etc: "/etc/rancher/rke2", templates: "/var/lib/rancher/rke2/agent/etc/containerd",
		signs: []string{"/etc/rancher/rke2", "/usr/local/bin/rke2", "/opt/rke2/bin/rke2"},
		units: []string{"rke2-server.service", "rke2-agent.service"},
	}}
)

func (d distribution) registries() string { return d.etc + "/registries.yaml" }

// option is a value with its place. What a command line says wins over files.
type option struct {
	value string
	file  string
	line  int
}

// on and off report whether an option is surely set, or surely not: what is no
// truth value here may be one to k3s, such as YAML 1.1's "yes".
func (o option) on() bool {
	set, err := strconv.ParseBool(o.value)
	return err == nil && set
}

func (o option) off() bool {
	set, err := strconv.ParseBool(o.value)
	return o.value == "" || err == nil && !set
}

// k3sWatched are the options that say who pulls and from where.
var k3sWatched = []string{k3sNoDefault, k3sPrivate, "docker", "container-runtime-endpoint", "embedded-registry", "config"}

// k3sConfigured returns what the files of a distribution say.
func (x *examiner) k3sConfigured(of distribution) map[string]option {
	main, dropIns := of.etc+"/config.yaml", of.etc+"/config.yaml.d"
	files := []string{main}
	for _, name := range x.list(dropIns, false) {
		if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
			files = append(files, path.Join(dropIns, name))
		}
	}
	said := map[string]option{k3sNoDefault: {file: main}}
	for _, file := range files {
		d, ok := x.parse(file, parseYAML)
		if !ok {
			continue
		}
		for _, name := range k3sWatched {
			// "name+" adds to what earlier files say, which for one value is the same.
			for _, key := range []string{name, name + "+"} {
				if v := d.value(key); v != nil {
					said[name] = option{fmt.Sprint(v), file, d.line(key)}
				}
			}
		}
	}
	return said
}

// k3sUnits returns for each unit that starts the distribution what its command
// line says.
func (x *examiner) k3sUnits(of distribution) []map[string]option {
	var all []map[string]option
	for _, name := range of.units {
		var words []word
		for _, file := range x.unitFiles(name) {
			text, err := x.node.optional(file)
			if err != nil {
				x.errs = append(x.errs, err)
			}
			words = commandLine(words, file, string(text))
		}
		if len(words) > 0 {
			all = append(all, flags(words))
		}
	}
	return all
}

// unitFiles are the files of a unit in the order in which systemd reads them: the
// unit itself, then drop-ins by their names, of the same name the last folder's.
func (x *examiner) unitFiles(unit string) []string {
	var files []string
	dropIns := map[string]string{}
	for _, folder := range unitFolders {
		files = append(files, path.Join(folder, unit))
		for _, name := range x.list(path.Join(folder, unit+".d"), false) {
			if strings.HasSuffix(name, ".conf") {
				dropIns[name] = path.Join(folder, unit+".d", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		files = append(files, dropIns[name])
	}
	return files
}

// word is one of a command line, with its place.
type word struct {
	text, file string
	line       int
}

// commandLine returns the words of a unit's ExecStart (systemd.service(5)). before
// are those of the files that count less; a file that has one replaces them.
func commandLine(before []word, file, text string) []word {
	words, service, ours, going := before, false, false, false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		// Within a command line a comment is passed over, and does not end it.
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if !going {
			if strings.HasPrefix(line, "[") {
				service = line == "[Service]"
			}
			key, value, _ := strings.Cut(line, "=")
			if ours = service && strings.TrimSpace(key) == "ExecStart"; ours {
				words, line = nil, value
			}
		}
		line, going = strings.CutSuffix(line, `\`)
		if !ours {
			continue
		}
		for _, each := range split(line) {
			words = append(words, word{each, file, i + 1})
		}
	}
	return words
}

// split splits a line at blanks that are not in quotes, and takes quotes away.
func split(line string) []string {
	var words []string
	var one strings.Builder
	var quote rune
	inside := false
	for _, r := range line + " " {
		switch {
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == ' ' || r == '\t'):
			if inside {
				words = append(words, one.String())
			}
			one.Reset()
			inside = false
		default:
			one.WriteRune(r)
			inside = true
		}
	}
	return words
}

// flags returns the options that are watched among the words.
func flags(words []word) map[string]option {
	said := map[string]option{}
	for i, w := range words {
		bare := strings.TrimLeft(w.text, "-")
		if bare == w.text {
			continue
		}
		name, value, given := strings.Cut(bare, "=")
		if name == "c" {
			name = "config"
		}
		if !slices.Contains(k3sWatched, name) {
			continue
		}
		if !given {
			value = "true"
			if takes := name == k3sPrivate || name == "container-runtime-endpoint" || name == "config"; takes && i+1 < len(words) {
				value = words[i+1].text
			}
		}
		said[name] = option{value, w.file, w.line}
	}
	return said
}
