package nodeconfig

import (
	"slices"
	"strings"
)

// credentialFiles may hold passwords for registries, by runtime. They open no way
// round by themselves; they tell that one was used.
var credentialFiles = map[Runtime][]string{
	Containerd: {"/var/lib/kubelet/config.json", "/root/.docker/config.json"},
	CRIO:       {"/var/lib/kubelet/config.json", "/run/containers/0/auth.json"},
	Podman:     {"/run/containers/0/auth.json", "/root/.config/containers/auth.json", "/root/.docker/config.json"},
	Docker:     {"/root/.docker/config.json"},
	K3s:        {"/var/lib/kubelet/config.json"},
}

// credentials notes the registries for which the node has a password. The
// passwords are not looked at.
func (x *examiner) credentials() {
	for _, file := range credentialFiles[x.runtime] {
		d, ok := x.parse(file, parseJSON)
		if !ok {
			continue
		}
		var names []string
		for name := range d.table("auths") {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			host := strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
			host, _, _ = strings.Cut(host, "/")
			if !x.want.isGateway("", host) {
				x.add(Note, host, file, d.line("auths", name), "", "the node has credentials for the registry itself; the gateway has its own, so they may go")
			}
		}
	}
}
