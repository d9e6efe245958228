package nodeconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
)

const dockerConfig = "/etc/docker/daemon.json"

// docker judges daemon.json. Docker sends no name but docker.io's to a mirror,
// and that only as long as the mirror does not refuse.
func (x *examiner) docker() {
	d, ok := x.parse(dockerConfig, parseJSON)
	x.add(Note, every, dockerConfig, 0, "", "Docker asks a registry itself for every name that does not begin with the gateway: use the path form and close the network")
	if !ok {
		d = document{file: dockerConfig}
	}
	for i, mirror := range d.texts("registry-mirrors") {
		why := "registry-mirrors has %s: what it does not give, docker.io is asked for itself"
		if u, ok := hostURL(mirror); ok && x.want.isGateway(u.Scheme, u.Host) {
			why = "registry-mirrors has the gateway, %s: what it refuses, docker.io is asked for itself"
		}
		x.add(Open, "docker.io", d.file, d.line("registry-mirrors", strconv.Itoa(i)), "remove it and use the path form", why, shown(mirror))
	}
	insecure := slices.Contains(d.texts("insecure-registries"), x.want.host())
	switch {
	case insecure && !x.want.plain():
		x.add(Wrong, x.want.host(), d.file, d.line("insecure-registries"), "remove it", "insecure-registries has the gateway, which has TLS: whoever is on the way can pose as it")
	case !insecure && x.want.plain() && !x.want.loopback() && ok:
		x.add(Wrong, x.want.host(), d.file, d.line("insecure-registries"), fmt.Sprintf("\"insecure-registries\": [%q]", x.want.host()), "the gateway speaks plain HTTP and is not in insecure-registries: pulls fail")
	}
}

// dockerPlan plans what lets Docker reach the gateway by the path form.
func (w Want) dockerPlan(node Node) (Plan, error) {
	p := Plan{Runtime: Docker, Files: []File{}}
	if w.plain() && !w.loopback() {
		existing, err := node.read(dockerConfig)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		content, err := w.daemonConfig(existing)
		if err != nil {
			return p, err
		}
		p.add(File{Path: dockerConfig, Content: content, ours: func([]byte) bool { return true }})
		p.Notes = append(p.Notes, "then: systemctl reload docker")
	}
	if len(w.authority) > 0 {
		p.add(File{Path: "/etc/docker/certs.d/" + w.host() + "/ca.crt", Content: marker + string(w.authority)})
	}
	p.Notes = append(p.Notes, "name images in path form: "+w.host()+"/docker.io/library/nginx:1.27")
	for _, registry := range w.registries {
		if pathForm(registry) != registry {
			p.Notes = append(p.Notes, "images of "+registry+" are below "+w.host()+"/"+pathForm(registry))
		}
	}
	p.Left = []string{
		"every name that does not begin with the gateway: Docker asks its registry itself",
		"registry-mirrors is no help and is not written: what a mirror refuses, Docker asks docker.io for",
		"close the network between nodes and registries",
	}
	return p, nil
}

// daemonConfig adds the gateway to the registries that are spoken to over plain
// HTTP and keeps all else.
func (w Want) daemonConfig(existing []byte) (string, error) {
	top := map[string]json.RawMessage{}
	var insecure []string
	if len(existing) > 0 {
		if err := json.Unmarshal(existing, &top); err != nil {
			return "", fmt.Errorf("%s: %w: %w", dockerConfig, ErrUnreadable, err)
		}
		if list, ok := top["insecure-registries"]; ok {
			if err := json.Unmarshal(list, &insecure); err != nil {
				return "", fmt.Errorf("%s: insecure-registries: %w: %w", dockerConfig, ErrUnreadable, err)
			}
		}
	}
	if slices.Contains(insecure, w.host()) {
		return string(existing), nil
	}
	list, err := json.Marshal(append(insecure, w.host()))
	if err != nil {
		return "", err
	}
	top["insecure-registries"] = list
	return indented(top)
}
