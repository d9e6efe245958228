package nodeconfig

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

const (
	k3sRegistries = "/etc/rancher/k3s/registries.yaml"
	k3sConfig     = "/etc/rancher/k3s/config.yaml"
	k3sDropIns    = "/etc/rancher/k3s/config.yaml.d"
	k3sOurs       = k3sDropIns + "/zz-vouchsafe.yaml"
	k3sAuthority  = "/etc/rancher/k3s/" + authorityFile
	k3sTemplates  = "/var/lib/rancher/k3s/agent/etc/containerd"
	// k3sNoDefault keeps k3s from adding the registry itself behind the endpoints
	// of a mirror.
	k3sNoDefault = "disable-default-registry-endpoint"
)

// k3sUnits may have the option on a command line.
var k3sUnits = []string{"/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s-agent.service"}

// k3s judges what k3s makes the files of its own containerd from.
func (x *examiner) k3s() {
	x.k3sDefaultEndpoint()
	for _, name := range x.list(k3sTemplates, false) {
		if strings.HasSuffix(name, ".tmpl") {
			x.add(Wrong, every, path.Join(k3sTemplates, name), 1, "remove it, or see that it keeps config_path", "a template of config.toml takes the place of k3s's own, and is not judged here")
		}
	}
	d, ok := x.parse(k3sRegistries, parseYAML)
	if !ok {
		x.add(Open, every, k3sRegistries, 0, "write the file", "no registries.yaml: k3s asks every registry itself")
		return
	}
	mirrors := d.table("mirrors")
	if _, all := mirrors["*"]; !all {
		x.add(Open, everyOther, d.file, d.line("mirrors"), fmt.Sprintf("mirrors: {\"*\": {endpoint: [%q]}}", x.want.url()), "no mirror \"*\": registries without an entry are asked themselves")
	}
	for name := range mirrors {
		x.k3sMirror(d, name)
	}
	for host := range d.table("configs") {
		at := []string{"configs", host, "tls", "insecure_skip_verify"}
		if x.want.isGateway("", host) && d.flag(at...) && !x.want.plain() {
			x.add(Wrong, every, d.file, d.line(at...), "remove it", "insecure_skip_verify: whoever is on the way can pose as the gateway")
		}
		if !x.want.isGateway("", host) && d.value("configs", host, "auth") != nil {
			x.add(Note, host, d.file, d.line("configs", host, "auth"), "", "credentials for the registry itself")
		}
	}
}

func (x *examiner) k3sMirror(d document, name string) {
	registry := name
	if name == "*" {
		registry = everyOther
	}
	at := []string{"mirrors", name}
	if x.want.left(name) {
		x.add(Note, registry, d.file, d.line(at...), "", "left direct, as told")
		return
	}
	remedy := fmt.Sprintf("endpoint: [%q]", x.want.url())
	endpoints := d.texts(append(at, "endpoint")...)
	if len(endpoints) == 0 {
		x.add(Open, registry, d.file, d.line(at...), remedy, "no endpoint: the registry itself is asked")
	}
	for i, each := range endpoints {
		line := d.line(append(at, "endpoint", strconv.Itoa(i))...)
		u, ok := hostURL(each)
		switch {
		case !ok || !x.want.isGateway(u.Scheme, u.Host) && u.Host != x.want.host():
			x.add(Open, registry, d.file, line, remedy, "endpoint %s is not the gateway and is asked for images", shown(each))
		case u.Scheme != x.want.gateway.Scheme:
			x.add(Wrong, registry, d.file, line, remedy, "endpoint is %s, the gateway is %s", u.Scheme, x.want.gateway.Scheme)
		case strings.Trim(u.Path, "/") != "" && strings.Trim(u.Path, "/") != "v2":
			x.add(Wrong, registry, d.file, line, remedy, "the gateway is asked below another path than /v2, where it answers with other images or none")
		}
	}
	if rewrite := append(at, "rewrite"); d.value(rewrite...) != nil {
		x.add(Wrong, registry, d.file, d.line(rewrite...), "remove it", "rewrite: the gateway is asked for other images than the pod names")
	}
}

// k3sDefaultEndpoint demands the option: without it the registry itself is asked
// for what the gateway refuses.
func (x *examiner) k3sDefaultEndpoint() {
	files := []string{k3sConfig}
	for _, name := range x.list(k3sDropIns, false) {
		if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
			files = append(files, path.Join(k3sDropIns, name))
		}
	}
	set, file, line := false, k3sConfig, 0
	for _, each := range files {
		d, ok := x.parse(each, parseYAML)
		if !ok {
			continue
		}
		if d.flag("embedded-registry") {
			x.add(Note, every, each, d.line("embedded-registry"), "", "embedded-registry: images may come from other nodes, which had them through their own configuration")
		}
		if v, ok := d.value(k3sNoDefault).(bool); ok {
			set, file, line = v, each, d.line(k3sNoDefault)
		}
	}
	for _, unit := range k3sUnits {
		if text, err := x.node.optional(unit); err == nil && onCommandLine(string(text)) {
			set = true
		}
	}
	if !set {
		x.add(Open, every, file, line, k3sNoDefault+": true", "k3s asks the registry itself for what the gateway refuses, unless %s is set", k3sNoDefault)
	}
}

func onCommandLine(unit string) bool {
	for word := range strings.FieldsFuncSeq(unit, func(r rune) bool { return strings.ContainsRune(" \t\n\\'\"", r) }) {
		if word == "--"+k3sNoDefault || word == "--"+k3sNoDefault+"=true" {
			return true
		}
	}
	return false
}

// k3sPlan plans registries.yaml and the option that keeps the registry itself
// from being asked last.
func (w Want) k3sPlan(Node) (Plan, error) {
	p := Plan{Runtime: K3s}
	var b strings.Builder
	b.WriteString(marker + "mirrors:\n")
	mirror := func(name, endpoint string) { fmt.Fprintf(&b, "  %q:\n    endpoint:\n      - %q\n", name, endpoint) }
	mirror("*", w.url())
	for _, registry := range w.registries {
		mirror(registry, w.url())
	}
	for _, registry := range w.bootstrap {
		fmt.Fprintf(&b, "  # Left direct: pulls of %s do not pass the gateway.\n", registry)
		mirror(registry, endpoint(registry))
	}
	if len(w.authority) > 0 {
		fmt.Fprintf(&b, "configs:\n  %q:\n    tls:\n      ca_file: %q\n", w.host(), k3sAuthority)
	}
	p.add(File{Path: k3sRegistries, Content: b.String()})
	p.add(File{Path: k3sOurs, Content: marker + "# Else k3s asks the registry itself for what the gateway refuses.\n" + k3sNoDefault + ": true\n"})
	if len(w.authority) > 0 {
		p.add(File{Path: k3sAuthority, Content: marker + string(w.authority)})
	}
	p.Notes = []string{
		"k3s was not run: the files are written from its documentation",
		k3sNoDefault + " needs k3s 1.26.13, 1.27.10, 1.28.6, 1.29.1 or later",
		"then: systemctl restart k3s (or k3s-agent)",
		"k3s pulls its own images (pause, CoreDNS, …) like any other: they must be allowed by the policies, or be on the node",
	}
	p.Left = []string{
		"images that are on the node already, or in k3s's folder of archives, are not pulled and so not judged",
		"root on the node can do without all this: close the network between nodes and registries",
	}
	return p, nil
}
