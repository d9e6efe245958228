// Package vouchsafe_test holds the tests that look at the whole module: who
// imports whom, and who may open a connection.
package vouchsafe_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "vouchsafe"

// mayImport is the list of packages and of what each may import from this
// module. It is complete: a package that is missing fails, and so does an import
// that is not here. A new edge is a change of the plan first, of this list then.
// It binds imports outside tests.
var mayImport = map[string][]string{
	"oci":              {},
	"upstream":         {"oci"},
	"content":          {"oci"},
	"verify":           {"oci"},
	"policy":           {"oci", "verify"},
	"config":           {"policy", "verify", "upstream", "oci"},
	"audit":            {"policy", "oci"},
	"inventory":        {"audit", "config", "policy", "verify", "oci"},
	"admission":        {"policy", "oci"},
	"nodeconfig":       {"oci"},
	"kube":             {"audit", "inventory", "policy", "oci"},
	"proxy":            {"policy", "upstream", "content", "oci"},
	"internal/lab":     {"oci"},
	"internal/server":  {},
	"internal/datadir": {},
	"internal/layout":  {"oci"},
	"internal/report":  {"policy", "verify", "oci"},
	"cmd/vouchsafe": {
		"oci", "upstream", "content", "verify", "policy", "config", "audit", "inventory", "proxy", "nodeconfig",
		"admission", "kube", "internal/lab", "internal/datadir", "internal/server", "internal/layout", "internal/report",
	},
}

// only lists modules and packages that a few packages alone may import, by the
// beginning of their paths.
var only = map[string][]string{
	"github.com/sigstore/":           {"verify", "internal/lab"},
	"github.com/theupdateframework/": {"verify", "internal/lab"},
	"github.com/spf13/cobra":         {"cmd/vouchsafe"},
	"github.com/prometheus/":         {"cmd/vouchsafe", "internal/server"},
	"github.com/goccy/go-yaml":       {"config", "internal/report", "nodeconfig"},
	"github.com/caarlos0/env":        {"config"},
	"github.com/fsnotify/fsnotify":   {"config"},
	"github.com/pelletier/go-toml":   {"nodeconfig"},
	"database/sql":                   {},
	"k8s.io/":                        {"admission", "kube"},
}

// pkg is what `go list` says of one package.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// packages returns every package of the module that has code outside tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p pkg
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	return all
}

func TestPackagesImportWhatTheListAllows(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[p.name()] = true
		allowed, listed := mayImport[p.name()]
		if !listed {
			t.Errorf("package %s is not in the list", p.name())
			continue
		}
		for _, path := range p.Imports {
			if inside, ours := strings.CutPrefix(path, module+"/"); ours && !slices.Contains(allowed, inside) {
				t.Errorf("%s imports %s, which the list does not allow", p.name(), inside)
			}
			for beginning, who := range only {
				if strings.HasPrefix(path, beginning) && !slices.Contains(who, p.name()) {
					t.Errorf("%s imports %s, which only %v may", p.name(), path, who)
				}
			}
		}
	}
	for name := range maps.Keys(mayImport) {
		if !seen[name] {
			t.Errorf("the list has %s, the module does not", name)
		}
	}
}

// dials are the names that open connections or lead to something that does.
var dials = map[string][]string{
	"net/http": {
		"Client", "Transport", "DefaultClient", "DefaultTransport",
		"Get", "Head", "Post", "PostForm",
	},
	"net":        {"Dialer", "Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix"},
	"crypto/tls": {"Dialer", "Dial", "DialWithDialer"},
}

// mayDial are the files that may use them: the one factory of the program, the
// lab, and the demo's client of its own listener.
func mayDial(p pkg, file string) bool {
	return p.name() == "upstream" || p.name() == "internal/lab" ||
		p.name() == "cmd/vouchsafe" && file == "demo_client.go"
}

func TestOnlyOnePackageDials(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			if mayDial(p, name) {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range uses(fset, file) {
				t.Errorf("%s: %s: connections are opened in package upstream alone", p.name(), at)
			}
		}
	}
}

// uses returns where file uses a name of [dials], whatever it calls the package.
func uses(fset *token.FileSet, file *ast.File) []string {
	local := map[string]string{}
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if _, watched := dials[path]; !watched {
			continue
		}
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		local[name] = path
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(dials[local[x.Name]], selector.Sel.Name) {
			at := fset.Position(selector.Pos())
			found = append(found, filepath.Base(at.String())+" uses "+x.Name+"."+selector.Sel.Name)
		}
		return true
	})
	return found
}
