package config

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"vouchsafe/verify"
)

// LoadOptions says how a folder is read.
type LoadOptions struct {
	// Settings are those of the process. In the zero value an image that no
	// policy matches is denied.
	Settings Settings
	// Previous, when not nil, lends the parts that did not change, so that
	// connections and tokens survive a reload.
	Previous *Snapshot
	// Mirrors holds the trusted roots that TUF mirrors gave; nil is one to which
	// none gave anything.
	Mirrors *verify.Mirrors
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Load reads the folder. An error is [Problems] for mistakes in documents, else
// about the folder itself. A folder that does not exist is an error that
// satisfies errors.Is(err, fs.ErrNotExist).
func Load(dir string, opts LoadOptions) (*Snapshot, error) {
	snapshot, _, err := load(dir, opts)
	return snapshot, err
}

// Empty returns the snapshot without any document: the built-in registries,
// nothing enforced.
func Empty(opts LoadOptions) (*Snapshot, error) {
	return newLoader(opts).finish()
}

// footprint is what a load has looked at; a difference means that another load
// may give something else.
type footprint struct {
	tree tree
	// missing is true when there is no folder.
	missing    bool
	references references
}

// load reads the folder and says what it has looked at, also when it fails. A
// folder that changes while it is read is read again: a ConfigMap is swapped as
// a whole, and half of each version is neither.
func load(dir string, opts LoadOptions) (*Snapshot, footprint, error) {
	const tries = 3
	for try := 1; ; try++ {
		snapshot, seen, err := loadOnce(dir, opts)
		if try == tries || !seen.changed(dir) {
			return snapshot, seen, err
		}
	}
}

func loadOnce(dir string, opts LoadOptions) (*Snapshot, footprint, error) {
	l := newLoader(opts)
	found, err := readTree(dir)
	seen := footprint{tree: found, missing: err != nil, references: l.references}
	if err != nil {
		return nil, seen, err
	}
	for _, name := range found.dangling {
		l.problems = append(l.problems, Problem{File: name, Message: "is a symlink that points at nothing"})
	}
	l.readFiles(dir, found.files)
	snapshot, err := l.finish()
	return snapshot, seen, err
}

// changed reports whether the folder, or a file that documents name, is not as
// it was.
func (f footprint) changed(dir string) bool {
	now, err := readTree(dir)
	if (err != nil) != f.missing {
		return true
	}
	return now.stamp != f.tree.stamp || f.references.changed()
}

// loader is one reading of a folder.
type loader struct {
	opts       LoadOptions
	documents  []*document
	problems   Problems
	references references
	// trustTexts are the files that integrations name, by full name. With again
	// they are read from there, and registries are those of Previous.
	trustTexts map[string][]byte
	again      bool
}

func newLoader(opts LoadOptions) *loader {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &loader{opts: opts, references: references{}, trustTexts: map[string][]byte{}}
}

func (l *loader) readFiles(dir string, names []string) {
	total := 0
	for _, name := range names {
		full := filepath.Join(dir, filepath.FromSlash(name))
		body, err := readFile(full)
		if err != nil {
			l.problems = append(l.problems, Problem{File: name, Message: fmt.Sprintf("cannot be read: %v", err)})
			continue
		}
		if total += len(body); total > MaxTotalBytes {
			l.problems = append(l.problems, Problem{File: name, Message: fmt.Sprintf("the files have more than %d MiB together", MaxTotalBytes>>20)})
			return
		}
		l.parse(name, filepath.Dir(full), body)
		if len(l.documents) > MaxDocuments {
			l.problems = append(l.problems, Problem{File: name, Message: fmt.Sprintf("there are more than %d documents", MaxDocuments)})
			return
		}
	}
}

// parse reads the documents of one file.
func (l *loader) parse(name, folder string, body []byte) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		l.problems = append(l.problems, Problem{File: name, Message: "is not UTF-8 text"})
		return
	}
	text := strings.ReplaceAll(string(body), "\r\n", "\n")
	file := &sourceFile{name: name, folder: folder, lines: strings.Split(text, "\n")}
	if strings.TrimSpace(text) == "" {
		// A file that is being written is empty first; a policy must not go away
		// for that moment.
		l.problems = append(l.problems, Problem{File: name, Message: "is empty", Hint: "remove the file or fill it"})
		return
	}
	for _, c := range split(file.lines) {
		root, err := parseChunk(c)
		switch {
		case err != nil:
			l.syntax(file, err)
		case root != nil && root.kind != nullNode:
			l.documents = append(l.documents, newDocument(file, root))
		case c.opened || root != nil:
			l.problems = append(l.problems, Problem{
				File: name, Line: c.first, Column: 1, Message: "empty document",
				Hint: `remove the "---"`, Source: file.line(c.first),
			})
		}
	}
}

func (l *loader) syntax(file *sourceFile, err error) {
	p := Problem{File: file.name, Line: 1, Column: 1, Message: err.Error()}
	if at, ok := err.(*syntaxError); ok { //nolint:errorlint // parseChunk wraps nothing
		p.Line, p.Column = min(at.line, len(file.lines)), at.column
	}
	if text := file.lines[p.Line-1]; onlyBase64.MatchString(text) || strings.Contains(text, "-----") {
		p.Hint = "indent every line of a PEM block deeper than the key that ends in |"
	}
	p.Source = file.line(p.Line)
	l.problems = append(l.problems, p)
}

// finish links the documents and returns the snapshot, or every mistake.
func (l *loader) finish() (*Snapshot, error) {
	l.refuseDuplicates()
	snapshot := l.link()
	problems := l.problems
	for _, d := range l.documents {
		problems = append(problems, d.problems...)
	}
	problems = problems.sorted()
	if problems.Mistakes() > 0 {
		return nil, problems
	}
	snapshot.Warnings = problems
	snapshot.LoadedAt = l.opts.Now()
	return snapshot, nil
}

// refuseDuplicates keeps the first document of each name and names both places.
func (l *loader) refuseDuplicates() {
	first := map[identity]*document{}
	for _, d := range l.documents {
		if d.kind == "" || d.name == "" {
			continue
		}
		other, again := first[d.id()]
		if !again {
			first[d.id()] = d
			continue
		}
		message := "duplicate name"
		if written, _ := d.root.find("metadata.name"); written.text != d.name {
			message = "the same registry as " + d.name
		}
		d.mistake("metadata.name", message, fmt.Sprintf("%s is already in %s, line %d", d.id(), other.file.name, other.line))
		d.name = ""
	}
}

// byName sorts documents, those without a usable name last.
func byName(a, b Document) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// sortedDocuments returns documents in the order of kind and name.
func sortedDocuments(documents []Document) []Document {
	slices.SortFunc(documents, byName)
	return documents
}
