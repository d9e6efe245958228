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
	k3sRegistries = "/etc/rancher/k3s/registries.yaml"
	k3sOurs       = "/etc/rancher/k3s/config.yaml.d/zz-vouchsafe.yaml"
	k3sAuthority  = "/etc/rancher/k3s/" + authorityFile
)

// k3s judges what k3s, and RKE2 where that is on the node, make the files of
// their own containerd from.
func (x *examiner) k3s() {
	judged := false
	for _, of := range distributions {
		if slices.ContainsFunc(of.signs, x.there) {
			x.distribution(of)
			judged = true
		}
	}
	if !judged {
		x.distribution(distributions[0])
	}
}

func (x *examiner) there(name string) bool {
	there, err := x.node.exists(name)
	if err != nil {
		x.errs = append(x.errs, err)
	}
	return there
}

func (x *examiner) distribution(of distribution) {
	for _, name := range x.list(of.templates, false) {
		if strings.HasSuffix(name, ".tmpl") {
			x.add(Wrong, every, path.Join(of.templates, name), 1, "remove it, or see that it keeps config_path", "a template of config.toml takes the place of %s's own, and is not judged here", of.name)
		}
	}
	configured, units := x.k3sConfigured(of), x.k3sUnits(of)
	if len(units) == 0 {
		units = append(units, nil)
	}
	for _, flags := range units {
		said := maps.Clone(configured)
		maps.Copy(said, flags)
		x.k3sOptions(of, said)
		x.k3sRegistries(of, said[k3sPrivate])
	}
}

// k3sOptions judges the options with which a distribution is started.
func (x *examiner) k3sOptions(of distribution, said map[string]option) {
	// Without it the registry itself is asked for what the gateway refuses.
	if o := said[k3sNoDefault]; !o.on() {
		x.add(Open, every, o.file, o.line, k3sNoDefault+": true", "%s asks the registry itself for what the gateway refuses, unless %s is set", of.name, k3sNoDefault)
	}
	if o := said["docker"]; !o.off() {
		x.add(Open, every, o.file, o.line, "remove it", "docker: Docker pulls the images, which no file keeps from going round the gateway")
	}
	if o := said["container-runtime-endpoint"]; o.value != "" {
		x.add(Wrong, every, o.file, o.line, "remove it, or judge that runtime with --runtime", "container-runtime-endpoint: another runtime than %s's own pulls the images", of.name)
	}
	if o := said["config"]; o.value != "" && o.value != of.etc+"/config.yaml" {
		x.add(Wrong, every, o.file, o.line, "remove it", "config names %s, which is not judged here", shown(o.value))
	}
	if o := said["embedded-registry"]; !o.off() {
		x.add(Note, every, o.file, o.line, "", "embedded-registry: images may come from other nodes, which had them through their own configuration")
	}
}

// k3sRegistries judges registries.yaml, or the file that private names instead.
func (x *examiner) k3sRegistries(of distribution, private option) {
	file := of.registries()
	if private.value != "" {
		file = path.Clean(private.value)
	}
	if !path.IsAbs(file) {
		x.add(Open, every, private.file, private.line, "remove it", "%s is %s, relative to wherever %s is started: %s is not read", k3sPrivate, shown(file), of.name, of.registries())
		return
	}
	d, ok := x.parse(file, parseYAML)
	if !ok {
		if file != of.registries() {
			x.add(Open, every, private.file, private.line, "remove it", "%s is %s, which is not there: %s asks every registry itself", k3sPrivate, shown(file), of.name)
			return
		}
		x.add(Open, every, file, 0, "write the file", "no registries.yaml: %s asks every registry itself", of.name)
		return
	}
	x.k3sMirrors(d)
}

func (x *examiner) k3sMirrors(d document) {
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
