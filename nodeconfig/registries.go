package nodeconfig

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	registriesConf = "/etc/containers/registries.conf"
	// registriesVendor is read when there is no file of the administrator.
	registriesVendor  = "/usr/share/containers/registries.conf"
	registriesDropIns = "/etc/containers/registries.conf.d"
	// registriesOurs comes after all others by name: of two blocks with the same
	// prefix the later file's holds.
	registriesOurs = registriesDropIns + "/zz-vouchsafe.conf"
)

// block is one [[registry]] of registries.conf (containers-registries.conf(5),
// version 2), with its place.
type block struct {
	d  document
	at []string
	// prefix and location as the library reads them: each may stand for the other.
	prefix, location string
}

func (b block) line(key string) int { return b.d.line(append(slices.Clone(b.at), key)...) }

// matches reports whether the block is for images of a registry, all of them
// (whole) or those below a path. The library compares prefixes as texts, so that
// "a.example" is also the prefix of "a.example:5000".
func (b block) matches(registry string) (whole, some bool) {
	if suffix, wild := strings.CutPrefix(b.prefix, "*"); wild {
		i := strings.Index(registry, suffix)
		if i < 0 {
			return false, false
		}
		end := registry[i+len(suffix):]
		return end == "" || end[0] == ':', false
	}
	if rest, ok := strings.CutPrefix(registry, b.prefix); ok && (rest == "" || rest[0] == ':') {
		return true, false
	}
	return false, strings.HasPrefix(b.prefix, registry+"/")
}

// registries is what all files say together.
type registries struct {
	blocks []block
	// search are the registries for names without one, with the place.
	search   []string
	searchAt document
	policy   signaturePolicy
}

// registries reads registries.conf and its drop-ins. A block of a later file
// takes the place of an earlier one with the same prefix; within a file the first
// holds.
func (x *examiner) registries() registries {
	main := registriesConf
	if there, err := x.node.exists(main); err == nil && !there {
		main = registriesVendor
	}
	files := []string{main}
	for _, name := range x.list(registriesDropIns, false) {
		if strings.HasSuffix(name, ".conf") {
			files = append(files, path.Join(registriesDropIns, name))
		}
	}
	var all registries
	for _, file := range files {
		d, ok := x.parse(file, parseTOML)
		if !ok {
			continue
		}
		x.registriesForms(d)
		if d.table("registries") != nil {
			x.add(Wrong, every, file, d.line("registries"), "write it in version 2", "registries.conf of version 1: what the runtime does with it depends on its version")
		}
		if _, set := d.values["unqualified-search-registries"]; set {
			all.search, all.searchAt = d.texts("unqualified-search-registries"), d
		}
		var inFile []block
		list, _ := d.value("registry").([]any)
		for i := range list {
			at := []string{"registry", strconv.Itoa(i)}
			b := block{d: d, at: at}
			b.prefix = strings.TrimRight(d.text(append(at, "prefix")...), "/")
			b.location = strings.TrimRight(d.text(append(at, "location")...), "/")
			if b.prefix == "" {
				b.prefix = b.location
			}
			if b.prefix == "" {
				x.add(Wrong, every, file, d.line(at...), "write one, or remove the block", "a [[registry]] without prefix and location: the files are not read at all")
				continue
			}
			if !slices.ContainsFunc(inFile, func(o block) bool { return o.prefix == b.prefix }) {
				inFile = append(inFile, b)
			}
		}
		for _, b := range inFile {
			all.blocks = slices.DeleteFunc(all.blocks, func(o block) bool { return o.prefix == b.prefix })
			all.blocks = append(all.blocks, b)
		}
	}
	return all
}

// containers judges the files of the library that Podman, Buildah, Skopeo and
// CRI-O share.
func (x *examiner) containers() {
	r := x.registries()
	r.policy = x.signaturePolicy()
	judged := map[string]bool{}
	judge := func(registry string, at func() (string, int)) {
		if judged[registry] || x.want.isGateway("", registry) {
			return
		}
		judged[registry] = true
		x.registry(r, registry, at)
	}
	for _, registry := range x.want.registries {
		judge(registry, func() (string, int) { return registriesOurs, 0 })
	}
	for i, registry := range r.search {
		judge(registry, func() (string, int) {
			return r.searchAt.file, r.searchAt.line("unqualified-search-registries", strconv.Itoa(i))
		})
	}
	for _, b := range r.blocks {
		registry, _, _ := strings.Cut(b.prefix, "/")
		judge(registry, func() (string, int) { return b.d.file, b.line("prefix") })
	}
	for _, scope := range r.policy.allowed() {
		registry, _, _ := strings.Cut(scope, "/")
		judge(registry, func() (string, int) { return r.policy.file, r.policy.line(scope) })
	}
	x.policyDefault(r.policy)
	x.ownBlock(r)
	x.homes()
	if x.runtime == CRIO {
		x.crio()
	}
}

// registry judges where images of one registry come from. at is where it was
// met, for when no block is for it.
func (x *examiner) registry(r registries, registry string, at func() (string, int)) {
	if x.want.left(registry) {
		file, line := at()
		x.add(Note, registry, file, line, "", "left direct, as told")
		return
	}
	if r.policy.rejects(registry) {
		return
	}
	var best *block
	for i, b := range r.blocks {
		whole, some := b.matches(registry)
		if some {
			x.block(b, registry)
		}
		if whole && (best == nil || len(b.prefix) > len(best.prefix)) {
			best = &r.blocks[i]
		}
	}
	if best == nil {
		file, line := at()
		x.add(Open, registry, file, line, fmt.Sprintf("add [[registry]] with prefix = %q and location = %q", registry, x.want.host()+"/"+pathForm(registry)),
			"no [[registry]] sends its images to the gateway: they are pulled from the registry itself")
		return
	}
	x.block(*best, registry)
}

// homes looks for files of users, which take the place of the system's.
func (x *examiner) homes() {
	homes := []string{"/root"}
	for _, user := range x.list("/home", true) {
		homes = append(homes, "/home/"+user)
	}
	for _, home := range homes {
		for _, name := range []string{"registries.conf", "policy.json"} {
			file := path.Join(home, ".config/containers", name)
			if there, err := x.node.exists(file); err == nil && there {
				x.add(Wrong, every, file, 1, "remove it", "a user's own file takes the place of the system's %s, and is not judged here", name)
			}
		}
		for _, name := range x.list(path.Join(home, ".config/containers/registries.conf.d"), false) {
			x.add(Wrong, every, path.Join(home, ".config/containers/registries.conf.d", name), 1, "remove it", "a user's own file has a say beside the system's, and is not judged here")
		}
	}
}

// registriesFile writes the drop-in: of each registry the location is the
// gateway, so there is nothing else to ask.
func (w Want) registriesFile() string {
	var b strings.Builder
	b.WriteString(marker)
	search := []string{}
	if slices.Contains(w.registries, "docker.io") || w.left("docker.io") {
		search = append(search, `"docker.io"`)
	}
	fmt.Fprintf(&b, "unqualified-search-registries = [%s]\n", strings.Join(search, ", "))
	entry := func(prefix, location string, insecure bool) {
		b.WriteString("\n[[registry]]\n")
		if prefix != location {
			fmt.Fprintf(&b, "prefix = %q\n", prefix)
		}
		fmt.Fprintf(&b, "location = %q\n", location)
		if insecure {
			b.WriteString("insecure = true\n")
		}
	}
	for _, registry := range w.registries {
		entry(registry, w.host()+"/"+pathForm(registry), w.plain())
	}
	b.WriteString("\n# Names that begin with the gateway.")
	entry(w.host(), w.host(), w.plain())
	for _, registry := range w.bootstrap {
		fmt.Fprintf(&b, "\n# Left direct: pulls of %s do not pass the gateway.", registry)
		entry(registry, registry, false)
	}
	return b.String()
}
