package nodeconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// hostForms are the keys that stand at the top of a hosts.toml and in each of its
// hosts, as containerd 1.6 to 2.x decodes them (core/remotes/docker/config).
var hostForms = map[string]form{
	"capabilities":  isCapabilities,
	"ca":            isTextOrTexts,
	"client":        isClient,
	"skip_verify":   isFlag,
	"header":        isHeader,
	"override_path": isFlag,
	"dial_timeout":  isDuration,
}

// hostsForms are the keys at the top.
var hostsForms = func() map[string]form {
	forms := maps.Clone(hostForms)
	forms["server"], forms["host"] = isText, isTable
	return forms
}()

// capabilities that every containerd knows. With any other it drops the whole file.
var capabilities = []string{"pull", "resolve", "push"}

func isCapabilities(value any) string {
	if wanted := isTexts(value); wanted != "" {
		return wanted
	}
	for _, each := range value.([]any) { //nolint:forcetypeassert // a list of texts, as was seen above
		if text, _ := each.(string); !slices.Contains(capabilities, strings.ToLower(text)) {
			return fmt.Sprintf("a list of capabilities that every containerd knows: %s is none (2.4.2 knows referrers, 2.1.4 and 1.6 do not)", shown(text))
		}
	}
	return ""
}

// isClient wants a file, a list of files, or a list of pairs of files.
func isClient(value any) string {
	if isText(value) == "" {
		return ""
	}
	list, ok := value.([]any)
	if !ok || slices.ContainsFunc(list, func(each any) bool {
		pair, _ := each.([]any)
		return isText(each) != "" && (isTexts(each) != "" || len(pair) != 2)
	}) {
		return "a file, a list of files or a list of [certificate, key]"
	}
	return ""
}

func isHeader(value any) string {
	table, ok := value.(map[string]any)
	for _, each := range table {
		ok = ok && isTextOrTexts(each) == ""
	}
	if !ok {
		return "a table of texts or lists of texts"
	}
	return ""
}

func isDuration(value any) string {
	text, ok := value.(string)
	if ok && text != "" {
		_, err := time.ParseDuration(text)
		ok = err == nil
	}
	if !ok {
		return `a duration such as "3s"`
	}
	return ""
}

// decodes reports whether every containerd can decode the file; one that cannot
// drops it as a whole and asks the registry itself.
func (c *hostsCheck) decodes(text []byte) bool {
	found := append(escapes(string(text)), c.d.misfits(nil, hostsForms)...)
	if len(found) == 0 {
		for host, value := range c.d.table("host") {
			if wanted := isTable(value); wanted != "" {
				found = append(found, misfit{c.d.line("host", host), fmt.Sprintf("host %s is not %s", shown(host), wanted)})
			}
			found = append(found, c.d.misfits([]string{"host", host}, hostForms)...)
		}
	}
	for _, m := range found {
		c.add(Open, c.registry, c.d.file, m.line, "correct it, or remove it",
			"%s: containerd drops a hosts.toml that it cannot decode and asks the registry itself", m.why)
	}
	return len(found) == 0
}

// escapes finds backslashes: 1.6 knows fewer of TOML's escapes than 2.x, and none
// in a header, so that it drops the file or reads another host (seen with 1.6.20).
func escapes(text string) []misfit {
	for i, line := range strings.Split(text, "\n") {
		if strings.Contains(line, `\`) && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			return []misfit{{i + 1, "a backslash, which versions read differently"}}
		}
	}
	return nil
}
