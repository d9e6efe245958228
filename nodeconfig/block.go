package nodeconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// block judges one block for a registry: first its mirrors, in their order, then
// its location are asked.
func (x *examiner) block(b block, registry string) {
	location := fmt.Sprintf("location = %q, and no mirrors", x.want.host()+"/"+pathForm(registry))
	blocked := b.d.flag(append(slices.Clone(b.at), "blocked")...)
	host, _, _ := strings.Cut(b.location, "/")
	mirrors, _ := b.d.value(append(slices.Clone(b.at), "mirror")...).([]any)
	want := x.pathWanted(b, registry)
	for i := range mirrors {
		x.mirror(b, registry, strconv.Itoa(i), want, location)
	}
	switch {
	case x.want.isGateway("", host):
		x.below(b, registry, b.at, b.location, want)
		x.insecure(b.d, b.at, registry)
	case !blocked:
		why := "location is %s: images come from there"
		if len(mirrors) > 0 {
			why = "location is %s: what the mirrors do not give, a refusal included, is asked there"
		}
		if b.location == "" {
			why = "no location, so images come from the registry itself%.0s"
		}
		x.add(Open, registry, b.d.file, b.line("location"), location, why, shown(b.location))
	case b.prefix != b.location:
		x.add(Open, registry, b.d.file, b.line("blocked"), location, "blocked has no effect in a block whose location is another name than its prefix (seen with Podman 4.3.1)")
	}
}

// pathWanted is what has to stand behind the gateway for the images of a block: a
// wildcard's prefix gives way to the location as a whole.
func (x *examiner) pathWanted(b block, registry string) string {
	if strings.HasPrefix(b.prefix, "*") {
		return pathForm(registry)
	}
	return pathForm(registry) + strings.TrimPrefix(b.prefix, registry)
}

// mirror judges one mirror of a block. want is the path that has to stand behind
// the gateway.
func (x *examiner) mirror(b block, registry, n, want, remedy string) {
	at := append(slices.Clone(b.at), "mirror", n)
	location := b.d.text(append(at, "location")...)
	host, _, _ := strings.Cut(location, "/")
	if !x.want.isGateway("", host) {
		x.add(Open, registry, b.d.file, b.d.line(append(at, "location")...), remedy, "mirror %s is not the gateway and is asked for images", shown(location))
		return
	}
	x.below(b, registry, at, location, want)
	key := append(slices.Clone(at), "pull-from-mirror")
	if from := b.d.text(key...); from != "" && from != "all" {
		x.add(Wrong, registry, b.d.file, b.d.line(key...), remedy, "pull-from-mirror is %s: for other pulls the gateway is not asked", shown(from))
	}
	if key := append(slices.Clone(b.at), "mirror-by-digest-only"); b.d.flag(key...) {
		x.add(Wrong, registry, b.d.file, b.d.line(key...), remedy, "mirror-by-digest-only: for pulls by tag the gateway is not asked")
	}
	x.insecure(b.d, at, registry)
}

// below judges whether a location, the block's or a mirror's, is the gateway's
// place for the images of the block and not for others.
func (x *examiner) below(b block, registry string, at []string, location, want string) {
	if _, got, _ := strings.Cut(strings.TrimRight(location, "/"), "/"); got != want {
		x.add(Wrong, registry, b.d.file, b.d.line(append(slices.Clone(at), "location")...), fmt.Sprintf("location = %q", strings.TrimRight(x.want.host()+"/"+want, "/")),
			"location is %s: other images of the gateway, or none", shown(location))
	}
}

// insecure judges whether TLS is spoken to the gateway when it should be.
func (x *examiner) insecure(d document, at []string, registry string) {
	key := append(slices.Clone(at), "insecure")
	switch insecure := d.flag(key...); {
	case insecure && !x.want.plain():
		x.add(Wrong, registry, d.file, d.line(key...), "remove it", "insecure with a gateway that has TLS: whoever is on the way can pose as the gateway")
	case !insecure && x.want.plain():
		x.add(Wrong, registry, d.file, d.line(key...), "insecure = true", "the gateway speaks plain HTTP and insecure is not set: pulls fail")
	}
}

// ownBlock judges a block for the gateway's own name, of the path form.
func (x *examiner) ownBlock(r registries) {
	for _, b := range r.blocks {
		host, _, _ := strings.Cut(b.location, "/")
		prefix, _, _ := strings.Cut(b.prefix, "/")
		if !x.want.isGateway("", prefix) {
			continue
		}
		if !x.want.isGateway("", host) {
			x.add(Open, b.prefix, b.d.file, b.line("location"), fmt.Sprintf("location = %q", b.prefix), "names of the gateway lead to %s", shown(b.location))
			continue
		}
		_, want, _ := strings.Cut(b.prefix, "/")
		x.below(b, b.prefix, b.at, b.location, want)
		x.insecure(b.d, b.at, b.prefix)
		mirrors, _ := b.d.value(append(slices.Clone(b.at), "mirror")...).([]any)
		for i := range mirrors {
			x.mirror(b, b.prefix, strconv.Itoa(i), want, "remove the mirror")
		}
	}
}
