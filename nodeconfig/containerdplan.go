package nodeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// containerdNew is config.toml where there is none. containerd 1.6 and 1.7 read
// no later version than 2, and 2.x migrates it.
const containerdNew = marker + `version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "` + containerdHosts + `"
`

// containerdPlan plans config.toml and the hosts.toml files: that of _default, to
// which every registry without a folder goes, those of the named registries and
// those of folders that are on the node, each of which would win over it.
func (w Want) containerdPlan(node Node) (Plan, error) {
	p := Plan{Runtime: Containerd}
	existing, err := node.read(containerdConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	x := &examiner{node: node, want: w}
	r := x.containerdRegistry()
	if err := joined(x.errs); err != nil {
		return p, err
	}
	if len(r.mirrors) > 0 {
		m := r.mirrors[0]
		return p, fmt.Errorf("%s:%d: registry.mirrors is in the way: containerd does not start its CRI with it and config_path; remove it", m.file, m.line)
	}
	folder := containerdHosts
	if roots := filepath.SplitList(r.path); len(roots) > 0 && path.IsAbs(roots[0]) {
		folder = path.Clean(roots[0])
	}
	if err := p.containerdConfig(existing, r, folder); err != nil {
		return p, err
	}
	folders, err := node.list(folder, true)
	if err != nil {
		return p, err
	}
	named := []string{"_default"}
	if w.ownFolders {
		for _, registry := range w.registries {
			named = append(named, hostsFolder(registry))
		}
	}
	for _, each := range folders {
		if !slices.Contains(named, each) && !w.left(registryOf(each)) {
			named = append(named, each)
		}
	}
	for _, each := range named {
		p.add(File{Path: path.Join(folder, each, "hosts.toml"), Content: w.hostsFile(), ours: w.hostsIsClosed(node, path.Join(folder, each, "hosts.toml"))})
		if len(w.authority) > 0 {
			p.add(File{Path: path.Join(folder, each, authorityFile), Content: marker + string(w.authority)})
		}
	}
	for _, registry := range w.bootstrap {
		p.add(File{Path: path.Join(folder, hostsFolder(registry), "hosts.toml"), Content: directHostsFile(registry)})
	}
	p.Notes = []string{
		"restart containerd for config.toml; it reads hosts.toml at each pull",
		"the pause image (sandbox_image) is pulled like any other: it must be allowed by the policies, or be on the node",
	}
	p.Left = []string{
		"images that are on the node already are not pulled and so not judged",
		"root on the node can do without all this (ctr images pull without --hosts-dir, ctr images import): close the network between nodes and registries",
	}
	return p, nil
}

// hostsIsClosed allows what is there to be replaced when it leaves no way round
// either, whoever wrote it.
func (w Want) hostsIsClosed(node Node, file string) func([]byte) bool {
	return func(existing []byte) bool {
		x := &examiner{node: node, want: w}
		x.hostsText(file, "", existing)
		return isMarked(existing) || !slices.ContainsFunc(x.found, func(f Finding) bool { return f.Level == Open })
	}
}

// containerdConfig plans config.toml, whose other lines stay as they are.
func (p *Plan) containerdConfig(existing []byte, r containerdRegistry, folder string) error {
	if r.path == folder {
		return nil
	}
	if len(strings.TrimSpace(string(existing))) == 0 {
		p.add(File{Path: containerdConfig, Content: containerdNew, ours: func([]byte) bool { return true }})
		return nil
	}
	if r.path != "" && r.file != containerdConfig {
		return fmt.Errorf("%s:%d: config_path = %q is in the way: make it %q there", r.file, r.line, r.path, folder)
	}
	content, err := setConfigPath(existing, folder)
	if err != nil {
		return err
	}
	// One that names several folders is somebody's decision.
	p.add(File{Path: containerdConfig, Content: content, ours: func([]byte) bool { return r.path == "" }})
	return nil
}

// setConfigPath sets config_path in a config.toml and changes nothing else. The
// text is read again afterwards: what cannot be set in this way is an error.
func setConfigPath(existing []byte, folder string) (string, error) {
	d, err := parseTOML(containerdConfig, existing)
	if err != nil {
		return "", err
	}
	v := version(d)
	if v != 2 && v != 3 {
		return "", fmt.Errorf("%s:%d: version is %d, want 2 (containerd 1.6 and later) or 3 (2.0 and later): write it, or use containerd config migrate", containerdConfig, d.line("version"), v)
	}
	table := append(criPlugin(v), "registry")
	key := append(slices.Clone(table), "config_path")
	setting := fmt.Sprintf("  config_path = %q", folder)
	lines := strings.Split(strings.TrimRight(string(existing), "\n"), "\n")
	header := "[" + header(table) + "]"
	own := slices.IndexFunc(d.tables, func(t tomlTable) bool { return slices.Equal(t.keys, table) })
	switch {
	case d.value(key...) != nil:
		lines[d.line(key...)-1] = setting
	case own >= 0:
		lines = slices.Insert(lines, d.tables[own].line, setting)
	default:
		lines = append(lines, "", header, setting)
	}
	text := strings.Join(lines, "\n") + "\n"
	again, err := parseTOML(containerdConfig, []byte(text))
	if err != nil || again.text(key...) != folder {
		return "", fmt.Errorf("%s: config_path cannot be set without writing the file anew: set it below %s", containerdConfig, header)
	}
	return text, nil
}
