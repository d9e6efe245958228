package config

import (
	"fmt"
	"slices"
	"strings"

	"vouchsafe/oci"
)

// document is one document with its text and what is wrong with it.
type document struct {
	file *sourceFile
	root *node
	line int

	kind string
	// name is canonical for registries; empty when it cannot be used.
	name string
	// spec points at the spec type of the kind; nil when the kind is not known.
	spec any

	problems Problems
	// broken are the paths that have a mistake, so that its consequences are not
	// reported as further ones.
	broken []string
	// strays are the paths of blocks with a key that is not read: what is missing
	// beside it is likely what the key was meant to be.
	strays []string
}

// id returns the document's identity.
func (d *document) id() identity { return identity{kind: d.kind, name: d.name} }

// failed reports whether the document has a mistake, not only remarks.
func (d *document) failed() bool { return d.problems.Mistakes() > 0 }

// problemAt points at the field path, or at its nearest ancestor.
func (d *document) problemAt(path, message, hint string) Problem {
	at, _ := d.root.find(path)
	line, column := at.place()
	return Problem{
		File: d.file.name, Line: line, Column: column,
		Path: path, Message: message, Hint: hint,
		Source: d.file.line(line),
	}
}

// mistake records one mistake at path.
func (d *document) mistake(path, message, hint string) {
	d.problems = append(d.problems, d.problemAt(path, message, hint))
	d.broken = append(d.broken, path)
}

// stray records a key that is not read. Its value is not shown: it may be
// anything.
func (d *document) stray(parent string, value *node, key, message, hint string) {
	path := join(parent, key)
	d.problems = append(d.problems, Problem{
		File: d.file.name, Line: value.keyLine, Column: value.keyColumn,
		Path: path, Message: message, Hint: hint,
		Source: d.file.keyOnly(value.keyLine, value.keyColumn),
	})
	d.broken = append(d.broken, path)
	d.strays = append(d.strays, parent)
}

// adopt records the mistakes that the package that owns the spec has found,
// without those that only repeat what is known.
func (d *document) adopt(err error) {
	for _, e := range oci.FieldErrors(err) {
		if e.Warning {
			p := d.problemAt(e.Path, e.Message, e.Hint)
			p.Warning = true
			d.problems = append(d.problems, p)
			continue
		}
		if !d.known(e.Path) {
			d.mistake(e.Path, e.Message, e.Hint)
		}
	}
}

// known reports whether a mistake at path follows from one that is recorded.
func (d *document) known(path string) bool {
	for _, broken := range d.broken {
		if within(path, broken) || within(broken, path) && path != "" && path != "spec" {
			return true
		}
	}
	_, exact := d.root.find(path)
	return !exact && slices.Contains(d.strays, parentPath(path))
}

// newDocument reads the header and decodes the spec.
func newDocument(file *sourceFile, root *node) *document {
	line, _ := root.place()
	d := &document{file: file, root: root, line: line}
	if root.kind != mappingNode {
		d.mistake("", "a document is a block of keys, this is "+root.kind.String(), "it begins with apiVersion: "+APIVersion)
		return d
	}
	d.keys("", root, []string{"apiVersion", "kind", "metadata", "spec"}, nil)
	d.readVersion()
	d.readKind()
	d.readName()
	d.readSpec()
	return d
}

func (d *document) readVersion() {
	version, ok := d.text("apiVersion")
	if ok && version != APIVersion {
		d.mistake("apiVersion", fmt.Sprintf("%s is not known", quoted(version)), "write "+APIVersion)
	}
}

func (d *document) readKind() {
	kind, ok := d.text("kind")
	switch {
	case !ok:
	case specOf(kind) != nil:
		d.kind, d.spec = kind, specOf(kind)
	case slices.Contains(laterKinds, kind):
		d.mistake("kind", kind+" is not supported yet", "remove the document")
	default:
		hint := didYouMean(kind, kinds)
		if hint == "" {
			hint = "one of " + strings.Join(kinds, ", ")
		}
		d.mistake("kind", quoted(kind)+" is not a kind", hint)
	}
}

func (d *document) readName() {
	metadata := d.root.child("metadata")
	if !d.present("metadata", metadata, mappingNode) {
		return
	}
	d.keys("metadata", metadata, []string{"name"}, nil)
	name, ok := d.text("metadata.name")
	if !ok {
		return
	}
	canonical, message, hint := canonicalName(d.kind, name)
	if message != "" {
		d.mistake("metadata.name", message, hint)
		return
	}
	d.name = canonical
}

func (d *document) readSpec() {
	spec := d.root.child("spec")
	if !d.present("spec", spec, mappingNode) || d.spec == nil {
		return
	}
	d.decodeSpec(spec)
}

// present reports whether the value is there and of kind; it records a mistake
// if not.
func (d *document) present(path string, n *node, kind nodeKind) bool {
	switch {
	case n == nil:
		d.mistake(path, "is missing", "")
	case n.kind == nullNode:
		d.mistake(path, "is empty", "remove it or fill it")
	case n.kind != kind:
		hint := ""
		if kind == textNode && (n.kind == numberNode || n.kind == boolNode) {
			hint = "put it in quotes"
		}
		d.mistake(path, "is "+n.kind.String()+", wanted "+kind.String(), hint)
	default:
		return true
	}
	return false
}

// text returns the text at path, which must be there.
func (d *document) text(path string) (string, bool) {
	n, exact := d.root.find(path)
	if !exact {
		n = nil
	}
	if !d.present(path, n, textNode) {
		return "", false
	}
	if n.text == "" {
		d.mistake(path, "is empty", "fill it")
		return "", false
	}
	return n.text, true
}

// quoted shows a word of the user's, cut to what is readable.
func quoted(word string) string {
	const most = 80
	if len(word) > most {
		word = strings.ToValidUTF8(word[:most], "") + hidden
	}
	return fmt.Sprintf("%q", word)
}
