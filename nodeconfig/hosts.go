package nodeconfig

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// hostsFile writes a hosts.toml that leaves no way round the gateway: what the
// host refuses is asked of the server, and both are the gateway. containerd 1.6
// ignores a file that has a server alone.
func (w Want) hostsFile() string {
	ca := ""
	if len(w.authority) > 0 {
		ca = fmt.Sprintf("ca = %q\n", authorityFile)
	}
	inHost := ""
	if ca != "" {
		inHost = "  " + ca
	}
	return marker + "# What the host refuses is asked of the server, so both are the gateway.\n" +
		fmt.Sprintf("server = %q\n%s\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n%s", w.url(), ca, w.url(), inHost)
}

// directHostsFile leaves a registry direct, in so many words.
func directHostsFile(registry string) string {
	return marker + fmt.Sprintf("# Left direct: pulls of %s do not pass the gateway.\nserver = %q\n", registry, endpoint(registry))
}

// hostsFolder is the folder in which containerd first looks for a registry's
// hosts.toml; its second is the registry's name as it is.
func hostsFolder(registry string) string {
	if i := strings.LastIndexByte(registry, ':'); i > 0 {
		return registry[:i] + "_" + registry[i+1:] + "_"
	}
	return registry
}

// registryOf is the registry whose folder it is: [hostsFolder] backwards.
func registryOf(folder string) string {
	if bare, ok := strings.CutSuffix(folder, "_"); ok {
		if i := strings.LastIndexByte(bare, '_'); i > 0 {
			return bare[:i] + ":" + bare[i+1:]
		}
	}
	return folder
}

// hostsCheck judges one hosts.toml.
type hostsCheck struct {
	*examiner
	d        document
	registry string
	// closed: what the hosts refuse is asked of the gateway.
	closed bool
}

// hosts judges the hosts.toml of a folder. Without one, and with one that
// containerd cannot use, the registry itself is asked.
func (x *examiner) hosts(folder, registry string) {
	file := path.Join(folder, "hosts.toml")
	text, err := x.node.optional(file)
	if err != nil {
		x.errs = append(x.errs, err)
		return
	}
	if len(text) == 0 {
		x.add(Open, registry, file, 0, "remove the folder, or write the gateway's hosts.toml into it",
			"the folder has no hosts.toml, or an empty one: containerd asks the registry itself")
		return
	}
	x.hostsText(file, registry, text)
}

func (x *examiner) hostsText(file, registry string, text []byte) {
	d, err := parseTOML(file, text)
	if err != nil {
		line := 1
		if at, ok := asSyntax(err); ok {
			line = at.line
		}
		x.add(Open, registry, file, line, "write it anew", "containerd drops a hosts.toml that it cannot read and asks the registry itself")
		return
	}
	c := hostsCheck{examiner: x, d: d, registry: registry}
	if !c.decodes(text) {
		return
	}
	c.server()
	hosts := c.names()
	if len(hosts) == 0 {
		x.add(Open, registry, file, 1, fmt.Sprintf("add [host.%q] with capabilities = [\"pull\", \"resolve\"]", x.want.url()),
			"no [host.…] table: containerd 1.6 ignores such a file and asks the registry itself")
	}
	for _, host := range hosts {
		c.host(host)
	}
}

// names returns the hosts, however they are written. containerd 2.x sees those
// alone that have a header of their own; 1.6 sees all, in an order that the file
// does not tell.
func (c *hostsCheck) names() []string {
	hosts := slices.Sorted(maps.Keys(c.d.table("host")))
	for _, host := range hosts {
		if !slices.ContainsFunc(c.d.tables, func(t tomlTable) bool {
			return !t.array && len(t.keys) >= 2 && t.keys[0] == "host" && t.keys[1] == host
		}) {
			c.add(Open, c.registry, c.d.file, c.d.line("host", host), "write each host below a header of its own",
				"no [host.…] header: containerd 2.x does not see host %s, 1.6 does and may ask it first", shown(host))
		}
	}
	return hosts
}

func (c *hostsCheck) server() {
	remedy := fmt.Sprintf("server = %q", c.want.url())
	server := c.d.text("server")
	if server == "" {
		c.add(Open, c.registry, c.d.file, c.d.line("server"), remedy+" at the top of the file",
			"no server: what the gateway refuses is asked of the registry itself")
		return
	}
	u, ok := hostURL(server)
	if !ok || !c.want.isGateway(u.Scheme, u.Host) && !c.sameHost(u) {
		c.add(Open, c.registry, c.d.file, c.d.line("server"), remedy, "server is %s: what the gateway refuses is asked there", shown(server))
		return
	}
	c.closed = true
	c.gatewayTable(u, nil, "server")
}

// sameHost reports whether u is the gateway but for the scheme.
func (c *hostsCheck) sameHost(u *url.URL) bool { return u.Host == c.want.host() }

func (c *hostsCheck) host(name string) {
	at := []string{"host", name}
	line := c.d.line(at...)
	pulls := c.capabilities(at)
	u, ok := hostURL(name)
	switch {
	case !ok:
		c.add(Open, c.registry, c.d.file, line, fmt.Sprintf("[host.%q]", c.want.url()), "%s is no URL: containerd drops the file and asks the registry itself", shown(name))
	case !c.want.isGateway(u.Scheme, u.Host) && !c.sameHost(u):
		if pulls["pull"] || pulls["resolve"] {
			c.add(Open, c.registry, c.d.file, line, "remove the table", "host %s is not the gateway and is asked for images", shown(name))
		}
	default:
		c.gatewayTable(u, at, "host")
		for _, needed := range []string{"resolve", "pull"} {
			if !pulls[needed] {
				c.lacks(at, needed)
			}
		}
	}
}

// lacks tells of a capability that the gateway's table does not give.
func (c *hostsCheck) lacks(at []string, capability string) {
	line := c.d.line(append(at, "capabilities")...)
	const remedy = `capabilities = ["pull", "resolve"]`
	what := map[string]string{"resolve": "tags are resolved", "pull": "content is pulled"}[capability]
	if c.closed {
		c.add(Wrong, c.registry, c.d.file, line, remedy, "no capability %q: %s by way of server alone, so that line is all that keeps them at the gateway", capability, what)
		return
	}
	c.add(Open, c.registry, c.d.file, line, remedy, "no capability %q: %s at the registry itself", capability, what)
}

// capabilities returns what a table gives, which is all when it says nothing.
func (c *hostsCheck) capabilities(at []string) map[string]bool {
	listed := c.d.texts(append(slices.Clone(at), "capabilities")...)
	if len(listed) == 0 {
		listed = capabilities
	}
	given := map[string]bool{}
	for _, each := range listed {
		given[strings.ToLower(each)] = true
	}
	return given
}

// gatewayTable judges how the gateway is reached.
func (c *hostsCheck) gatewayTable(u *url.URL, at []string, key string) {
	line := c.d.line(at...)
	if at == nil {
		line = c.d.line(key)
	}
	wrong := func(line int, remedy, why string, args ...any) {
		c.add(Wrong, c.registry, c.d.file, line, remedy, why, args...)
	}
	if u.Scheme != c.want.gateway.Scheme {
		why := "%s is %s, the gateway is %s: pulls fail"
		if u.Scheme == "http" {
			why = "%s is %s, the gateway is %s: whoever is on the way can pose as the gateway"
		}
		wrong(line, fmt.Sprintf("write %s", c.want.url()), why, key, u.Scheme, c.want.gateway.Scheme)
	}
	if p := strings.TrimSuffix(path.Clean("/"+u.Path), "/"); p != "" && p != "/v2" || c.d.flag(append(slices.Clone(at), "override_path")...) {
		wrong(c.d.line(append(slices.Clone(at), "override_path")...), "no path, and no override_path", "the gateway is asked below another path than /v2, where it answers with other images or none")
	}
	if c.d.flag(append(slices.Clone(at), "skip_verify")...) && !c.want.plain() {
		wrong(c.d.line(append(slices.Clone(at), "skip_verify")...), "remove it, and name the gateway's authority as ca", "skip_verify: whoever is on the way can pose as the gateway")
	}
	for _, ca := range c.d.texts(append(slices.Clone(at), "ca")...) {
		if !path.IsAbs(ca) {
			ca = path.Join(path.Dir(c.d.file), ca)
		}
		if there, err := c.node.exists(ca); err == nil && !there {
			wrong(c.d.line(append(slices.Clone(at), "ca")...), "write the file", "ca names %s, which is not there: pulls fail", shown(ca))
		}
	}
}

// hostURL reads a URL as containerd does.
func hostURL(text string) (*url.URL, bool) {
	if !strings.HasPrefix(text, "http") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	return u, err == nil && u.Host != ""
}

// shown is a text of a node's file as findings show it: short, and without the
// password of a URL.
func shown(text string) string {
	if u, err := url.Parse(text); err == nil && u.User != nil {
		text = u.Redacted()
	}
	return fmt.Sprintf("%.120q", text)
}
