package nodeconfig

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Level says what a finding means. The zero value is none.
type Level uint8

const (
	// Open is a way round the gateway.
	Open Level = iota + 1
	// Wrong is not as it has to be: one more change makes it a way round, pulls
	// fail, or what the runtime does with it is not known.
	Wrong
	// Note is worth knowing and needs no remedy.
	Note
)

// String returns "open", "wrong", "note" or "none".
func (l Level) String() string {
	switch l {
	case Open:
		return "open"
	case Wrong:
		return "wrong"
	case Note:
		return "note"
	}
	return "none"
}

// MarshalText implements [encoding.TextMarshaler].
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one thing that was found in a node's files.
type Finding struct {
	Level   Level   `json:"level"`
	Runtime Runtime `json:"runtime"`
	// Registry is the registry that it is about, "every registry" or "every other
	// registry".
	Registry string `json:"registry"`
	// File is the path on the node; Line counts from 1, 0 when there is no such
	// file.
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	// Why is what is wrong, Remedy what to do about it; empty for a note.
	Why    string `json:"why"`
	Remedy string `json:"remedy,omitempty"`
}

// Place returns "file:line", or "file" when there is no line.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

const (
	every      = "every registry"
	everyOther = "every other registry"
)

// Report is what was found on a node.
type Report struct {
	Gateway string `json:"gateway"`
	// Runtimes are those that were looked at.
	Runtimes []Runtime `json:"runtimes"`
	// Findings in the order of runtime, file and line.
	Findings []Finding `json:"findings"`
}

// Clean reports whether no way round was found and nothing is wrong.
func (r Report) Clean() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level != Note })
}

// Examine looks at what the files of a node make its runtimes do. An error that
// is [ErrUnreadable] says that a file could not be judged; what was found in the
// others is in the report then, too.
func Examine(node Node, want Want, runtimes []Runtime) (Report, error) {
	x := &examiner{node: node, want: want}
	for _, r := range runtimes {
		x.runtime = r
		switch r {
		case Containerd:
			x.containerd()
		case CRIO, Podman:
			x.containers()
		case Docker:
			x.docker()
		case K3s:
			x.k3s()
		}
		x.credentials()
	}
	slices.SortStableFunc(x.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Runtime, b.Runtime), cmp.Compare(a.Level, b.Level), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	if x.found == nil {
		x.found = []Finding{}
	}
	return Report{Gateway: want.url(), Runtimes: runtimes, Findings: slices.Compact(x.found)}, joined(x.errs)
}

// examiner collects what is found.
type examiner struct {
	node    Node
	want    Want
	runtime Runtime
	found   []Finding
	errs    []error
}

func (x *examiner) add(level Level, registry, file string, line int, remedy, why string, args ...any) {
	x.found = append(x.found, Finding{
		Level: level, Runtime: x.runtime, Registry: registry, File: file, Line: line,
		Why: fmt.Sprintf(why, args...), Remedy: remedy,
	})
}

// parse reads a file that need not be there; ok is false then, and when it cannot
// be read, which is kept as an error.
func (x *examiner) parse(file string, as func(string, []byte) (document, error)) (d document, ok bool) {
	text, err := x.node.optional(file)
	if err == nil && text != nil {
		d, err = as(file, text)
		ok = err == nil
	}
	if err != nil {
		x.errs = append(x.errs, err)
	}
	return d, ok
}

func (x *examiner) list(folder string, folders bool) []string {
	names, err := x.node.list(folder, folders)
	if err != nil {
		x.errs = append(x.errs, err)
	}
	return names
}

// joined is all errors, each once: two runtimes may read the same file.
func joined(errs []error) error {
	seen := map[string]bool{}
	var all []error
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
