package nodeconfig

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	containerdConfig = "/etc/containerd/config.toml"
	// containerdHosts is where hosts.toml files are put when nothing says where.
	containerdHosts = "/etc/containerd/certs.d"
	// containerdDropIns is read by containerd 2.2 and later when there is no
	// config.toml.
	containerdDropIns = "/etc/containerd/conf.d/*.toml"
	// maxImports is how many files one config.toml may lead to.
	maxImports = 256
)

// criPlugin is the way to the plugin whose registry table counts, in a file of a
// version: containerd migrates the old ones and reads no other.
func criPlugin(version int64) []string {
	switch version {
	case 2:
		return []string{"plugins", "io.containerd.grpc.v1.cri"}
	case 3:
		return []string{"plugins", "io.containerd.cri.v1.images"}
	}
	return []string{"plugins", "cri"}
}

func version(d document) int64 {
	v, _ := d.value("version").(int64)
	return v
}

// containerdRegistry is what containerd's configuration says of registries, files
// that it imports included.
type containerdRegistry struct {
	// main is the version of config.toml, 0 when there is none.
	main    int64
	there   bool
	path    string
	file    string
	line    int
	mirrors []place
	configs []place
}

// place is a key in a file.
type place struct {
	file string
	line int
	name string
}

// containerdFiles returns config.toml and what it imports, in the order in which
// they count.
func (x *examiner) containerdFiles() (files []document, there bool) {
	pending := []string{containerdConfig}
	seen := map[string]bool{}
	for len(pending) > 0 && len(seen) < maxImports {
		file := pending[0]
		pending = pending[1:]
		if seen[file] {
			continue
		}
		seen[file] = true
		d, ok := x.parse(file, parseTOML)
		if file == containerdConfig {
			if there = ok; !ok {
				pending = append(pending, x.glob(containerdDropIns)...)
			}
		}
		if !ok {
			continue
		}
		files = append(files, d)
		for _, each := range d.texts("imports") {
			if each = path.Clean(each); !path.IsAbs(each) {
				each = path.Join(path.Dir(file), each)
			}
			if strings.Contains(each, "*") {
				pending = append(pending, x.glob(each)...)
			} else {
				pending = append(pending, each)
			}
		}
	}
	return files, there
}

// glob finds files whose last element matches.
func (x *examiner) glob(pattern string) []string {
	var found []string
	for _, name := range x.list(path.Dir(pattern), false) {
		if ok, err := filepath.Match(path.Base(pattern), name); err == nil && ok {
			found = append(found, path.Join(path.Dir(pattern), name))
		}
	}
	return found
}

// containerdRegistry puts the files together as containerd does. Up to 1.7 an
// imported file that has the plugin's table replaces the whole of it, so that one
// which sets something else takes config_path away (seen with 1.6.20); 2.x merges
// the keys (seen with 2.4.2). A file of version 3 is read by 2.x alone.
func (x *examiner) containerdRegistry() containerdRegistry {
	r := containerdRegistry{file: containerdConfig, line: 1}
	files, there := x.containerdFiles()
	r.there = there
	if !there {
		r.line = 0
	}
	for _, d := range files {
		v := version(d)
		if d.file == containerdConfig {
			r.main = v
		} else if v == 0 {
			v = r.main
		}
		plugin := criPlugin(v)
		if d.table(plugin...) == nil {
			continue
		}
		at := append(slices.Clone(plugin), "registry")
		key := append(slices.Clone(at), "config_path")
		if p := d.text(key...); p != "" || v < 3 {
			r.path, r.file, r.line = p, d.file, d.line(key...)
		}
		if v < 3 {
			r.mirrors, r.configs = nil, nil
		}
		for _, table := range []struct {
			key string
			to  *[]place
		}{{"mirrors", &r.mirrors}, {"configs", &r.configs}, {"auths", &r.configs}} {
			at := append(slices.Clone(at), table.key)
			for name := range d.table(at...) {
				*table.to = append(*table.to, place{d.file, d.line(append(at, name)...), name})
			}
		}
	}
	return r
}

func (x *examiner) containerd() {
	r := x.containerdRegistry()
	remedy := fmt.Sprintf("[%s.registry] with config_path = %q", header(criPlugin(max(r.main, 2))), containerdHosts)
	for _, m := range r.mirrors {
		x.add(Open, m.name, m.file, m.line, "remove registry.mirrors and use config_path",
			"registry.mirrors: containerd always asks the registry itself last, also for what the gateway refused; beside config_path its CRI does not start")
	}
	for _, c := range r.configs {
		x.add(Note, c.name, c.file, c.line, "", "registry.configs and registry.auths: settings for the registry itself, not used with the gateway")
	}
	roots := filepath.SplitList(r.path)
	switch {
	case len(roots) == 0:
		x.add(Open, every, r.file, r.line, remedy,
			"no config_path: containerd reads no hosts.toml (the default of 2.x names two folders, and is as good as none: seen with 2.4.2)")
		return
	case len(roots) > 1:
		x.add(Open, every, r.file, r.line, fmt.Sprintf("config_path = %q", roots[0]),
			"config_path names %d folders: containerd 2.x reads hosts.toml in none of them and asks the registry itself (seen with 2.4.2)", len(roots))
	case roots[0] != "" && !path.IsAbs(roots[0]):
		x.add(Wrong, every, r.file, r.line, remedy, "config_path is relative to wherever containerd is started")
	}
	x.containerdFolders(roots)
}

// containerdFolders judges every folder that containerd may look into.
func (x *examiner) containerdFolders(roots []string) {
	byDefault := false
	for _, root := range roots {
		for _, folder := range x.list(root, true) {
			registry := registryOf(folder)
			switch {
			case folder == "_default":
				byDefault, registry = true, everyOther
			case x.want.left(registry):
				x.add(Note, registry, path.Join(root, folder), 0, "", "left direct, as told")
				continue
			}
			x.hosts(path.Join(root, folder), registry)
		}
	}
	if !byDefault {
		x.add(Open, everyOther, path.Join(roots[0], "_default/hosts.toml"), 0, "write the gateway's hosts.toml into the folder _default",
			"no folder _default: registries without a folder of their own are asked themselves")
	}
}

// header is a way of keys as a table's header has it.
func header(keys []string) string {
	written := []string{keys[0]}
	for _, key := range keys[1:] {
		if strings.Contains(key, ".") {
			key = fmt.Sprintf("%q", key)
		}
		written = append(written, key)
	}
	return strings.Join(written, ".")
}
