package nodeconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

const (
	policyFile = "/etc/containers/policy.json"
	crioConf   = "/etc/crio/crio.conf"
	crioConfs  = "/etc/crio/crio.conf.d"
)

// signaturePolicy is policy.json (containers-policy.json(5)), which goes by the
// names that users write. It is what closes the registries that registries.conf
// says nothing of.
type signaturePolicy struct {
	document
	there bool
}

func (x *examiner) signaturePolicy() signaturePolicy {
	file := policyFile
	if x.runtime == CRIO {
		file = crioPolicy(x.node)
	}
	d, ok := x.parse(file, parseJSON)
	d.file = file
	return signaturePolicy{document: d, there: ok}
}

// crioPolicy is the policy that CRI-O's configuration names: packages of CRI-O
// bring one of their own.
func crioPolicy(node Node) string {
	file := policyFile
	for _, conf := range crioFiles(node) {
		text, err := node.optional(conf)
		if err != nil || text == nil {
			continue
		}
		if d, err := parseTOML(conf, text); err == nil {
			if named := d.text("crio", "image", "signature_policy"); named != "" {
				file = named
			}
		}
	}
	return file
}

func crioFiles(node Node) []string {
	files := []string{crioConf}
	names, err := node.list(crioConfs, false)
	if err != nil {
		return files
	}
	for _, name := range names {
		files = append(files, path.Join(crioConfs, name))
	}
	return files
}

// crio judges CRI-O's own configuration, as far as pulls depend on it.
func (x *examiner) crio() {
	for _, conf := range crioFiles(x.node) {
		d, ok := x.parse(conf, parseTOML)
		if !ok {
			continue
		}
		if folder := d.text("crio", "image", "signature_policy_dir"); folder != "" {
			for _, name := range x.list(folder, false) {
				x.add(Wrong, every, path.Join(folder, name), 1, "remove it", "a policy for one namespace takes the place of %s, and is not judged here", policyFile)
			}
		}
	}
}

// scope returns what is demanded of images of a registry: of the scope, else of
// the transport, else of everything.
func (p signaturePolicy) scope(registry string) (requirements []any, keys []string) {
	for _, keys := range [][]string{{"transports", "docker", registry}, {"transports", "docker", ""}, {"default"}} {
		if list, ok := p.value(keys...).([]any); ok {
			return list, keys
		}
	}
	return nil, []string{"default"}
}

// rejects reports whether no image of a registry is let in. A scope may be a part
// of it, or, as "*.example.com", stand for several.
func (p signaturePolicy) rejects(registry string) bool {
	for _, scope := range p.allowed() {
		host, _, _ := strings.Cut(scope, "/")
		if suffix, wild := strings.CutPrefix(host, "*"); host == registry || wild && strings.HasSuffix(registry, suffix) {
			return false
		}
	}
	list, _ := p.scope(registry)
	return rejects(list)
}

func rejects(requirements []any) bool {
	return slices.ContainsFunc(requirements, func(r any) bool {
		m, ok := r.(map[string]any)
		return ok && m["type"] == "reject"
	})
}

// known reports whether a value is a list of requirements.
func known(list any) bool {
	requirements, ok := list.([]any)
	return ok && len(requirements) > 0 && !slices.ContainsFunc(requirements, func(r any) bool {
		m, ok := r.(map[string]any)
		kind, text := m["type"].(string)
		return !ok || !text || kind == ""
	})
}

// allowed returns the scopes of registries that are let in, sorted.
func (p signaturePolicy) allowed() []string {
	var scopes []string
	for scope, requirements := range p.table("transports", "docker") {
		if list, _ := requirements.([]any); scope != "" && !rejects(list) {
			scopes = append(scopes, scope)
		}
	}
	slices.Sort(scopes)
	return scopes
}

func (p signaturePolicy) line(scope string) int {
	return p.document.line("transports", "docker", scope)
}

// policyDefault judges what becomes of registries that nothing names.
func (x *examiner) policyDefault(p signaturePolicy) {
	const remedy = `"transports": {"docker": {"": [{"type": "reject"}], and a line for each registry that is let in`
	if !p.there {
		x.add(Wrong, everyOther, p.file, 0, remedy, "no policy: pulls fail, or every registry is let in, as the version has it")
		return
	}
	list, keys := p.scope("")
	if !rejects(list) {
		x.add(Open, everyOther, p.file, p.document.line(keys...), remedy, "registries that registries.conf says nothing of are let in, and are asked themselves")
	}
	for _, registry := range append(slices.Clone(x.want.registries), x.want.bootstrap...) {
		if p.rejects(registry) {
			_, keys := p.scope(registry)
			x.add(Note, registry, p.file, p.document.line(keys...), "", "rejected by the node's own policy: not pulled at all")
		}
	}
	for scope, list := range p.table("transports", "docker") {
		if !known(list) {
			x.add(Wrong, scope, p.file, p.line(scope), remedy, "a requirement without a type: the file is not read, and pulls fail")
		}
	}
	if !known(p.value("default")) {
		x.add(Wrong, everyOther, p.file, p.document.line("default"), `"default": [{"type": "insecureAcceptAnything"}]`, "default is not a list of requirements: the file is not read, and pulls fail")
	}
	for scope, list := range p.table("transports", "atomic") {
		if requirements, _ := list.([]any); !rejects(requirements) {
			x.add(Wrong, scope, p.file, p.document.line("transports", "atomic", scope), "remove it", "images of the transport atomic are let in, and do not pass the gateway")
		}
	}
}

// policyContent is policy.json with the docker transport closed but for what is
// wanted. All else that an existing file says is kept: it may be stricter.
func (w Want) policyContent(file string, existing []byte) (string, error) {
	top := map[string]json.RawMessage{"default": json.RawMessage(`[{"type":"insecureAcceptAnything"}]`)}
	transports := map[string]json.RawMessage{}
	if len(existing) > 0 {
		top = map[string]json.RawMessage{}
		if err := json.Unmarshal(existing, &top); err != nil {
			return "", fmt.Errorf("%s: %w: %w", file, ErrUnreadable, err)
		}
		if top["transports"] != nil {
			if err := json.Unmarshal(top["transports"], &transports); err != nil {
				return "", fmt.Errorf("%s: %w: %w", file, ErrUnreadable, err)
			}
		}
	}
	docker, err := json.Marshal(w.policyScopes())
	if err != nil {
		return "", err
	}
	transports["docker"] = docker
	if top["transports"], err = json.Marshal(transports); err != nil {
		return "", err
	}
	return indented(top)
}

func (w Want) policyScopes() map[string][]map[string]string {
	scopes := map[string][]map[string]string{"": {{"type": "reject"}}}
	for _, registry := range slices.Concat(w.registries, w.bootstrap, []string{w.host()}) {
		scopes[registry] = []map[string]string{{"type": "insecureAcceptAnything"}}
	}
	return scopes
}

func indented(value any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return b.String(), err
}

// policyIsOurs reports whether nothing that somebody decided is lost when the
// docker transport of an existing policy is replaced: there is none, or it is one
// as we write it, for this gateway.
func (w Want) policyIsOurs(existing []byte) bool {
	var p struct {
		Transports map[string]map[string][]map[string]any `json:"transports"`
	}
	if err := json.Unmarshal(existing, &p); err != nil {
		return false
	}
	docker, ok := p.Transports["docker"]
	if !ok {
		return true
	}
	accept := []map[string]any{{"type": "insecureAcceptAnything"}}
	for scope, requirements := range docker {
		if scope == "" && reflect.DeepEqual(requirements, []map[string]any{{"type": "reject"}}) {
			continue
		}
		if scope == "" || !reflect.DeepEqual(requirements, accept) {
			return false
		}
	}
	_, named := docker[w.host()]
	return named && docker[""] != nil
}
