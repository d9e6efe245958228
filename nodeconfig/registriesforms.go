package nodeconfig

import (
	"slices"
	"strconv"
)

// registriesTop, registryForms and mirrorForms are the keys of registries.conf as
// the library decodes them (containers-registries.conf(5), version 2).
var (
	registriesTop = map[string]form{
		"unqualified-search-registries":      isTexts,
		"credential-helpers":                 isTexts,
		"short-name-mode":                    isText,
		"additional-layer-store-auth-helper": isText,
		"registry":                           isTables,
		"aliases":                            isTable,
		"registries":                         isTable,
	}
	registryForms = map[string]form{
		"prefix":                isText,
		"location":              isText,
		"insecure":              isFlag,
		"blocked":               isFlag,
		"mirror-by-digest-only": isFlag,
		"mirror":                isTables,
	}
	mirrorForms = map[string]form{"location": isText, "insecure": isFlag, "pull-from-mirror": isText}
)

// registriesForms finds what the library cannot decode: one such value, and it
// reads none of the files and pulls nothing.
func (x *examiner) registriesForms(d document) {
	found := d.misfits(nil, registriesTop)
	list, _ := d.value("registry").([]any)
	for i := range list {
		at := []string{"registry", strconv.Itoa(i)}
		found = append(found, d.misfits(at, registryForms)...)
		mirrors, _ := d.value(append(slices.Clone(at), "mirror")...).([]any)
		for n := range mirrors {
			found = append(found, d.misfits(append(slices.Clone(at), "mirror", strconv.Itoa(n)), mirrorForms)...)
		}
	}
	for name, value := range d.table("aliases") {
		if isText(value) != "" {
			found = append(found, misfit{d.line("aliases", name), "the alias " + shown(name) + " is not a text"})
		}
	}
	for _, m := range found {
		x.add(Wrong, every, d.file, m.line, "correct it, or remove it", "%s: the runtime refuses to read its registries at all", m.why)
	}
}
