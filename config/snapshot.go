package config

import (
	"time"

	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// APIVersion is the only apiVersion of documents.
const APIVersion = "vouchsafe.dev/v1alpha1"

// Document is one document as it was read.
type Document struct {
	Kind string
	Name string
	// File is relative to the configuration folder, "" for what is built in.
	File string
	Line int
	// Spec is one of *verify.Spec, *policy.Spec, *upstream.Spec.
	Spec any
}

// Snapshot is one whole configuration. It is immutable.
type Snapshot struct {
	// Revision is a hash over all documents and the files that they name.
	Revision string
	// LoadedAt is when it was read.
	LoadedAt time.Time
	// Rules is what decisions depend on.
	Rules policy.Rules
	// Registries by canonical name, built-in ones included.
	Registries map[string]*upstream.Registry
	// Integrations by name.
	Integrations map[string]*verify.Integration
	// Documents in the order of kind and name.
	Documents []Document
	// Warnings are remarks that did not keep the documents from loading.
	Warnings []Problem
}

// Registry finds a registry by canonical name.
func (s *Snapshot) Registry(name string) (*upstream.Registry, bool) {
	r, ok := s.Registries[name]
	return r, ok
}

// Enforces reports whether a policy of the snapshot refuses.
func (s *Snapshot) Enforces() bool {
	for _, p := range s.Rules.Policies {
		if p.Behavior() == policy.InformAndEnforce {
			return true
		}
	}
	return false
}

// Problem is one mistake or remark in a document.
type Problem struct {
	// File is relative to the configuration folder.
	File         string
	Line, Column int
	// Path is the field, may be empty.
	Path    string
	Message string
	Hint    string
	Warning bool
	// Source is the line in question, already stripped of anything secret.
	Source string
}

// Problems is an error that holds every mistake of a folder, in the order of
// files and lines.
type Problems []Problem

// Error prints each problem as "file:line:column: path: message (hint)" with the
// line and a caret under it.
func (p Problems) Error() string { panic("not built yet") }

// LoadOptions says how a folder is read.
type LoadOptions struct {
	// Settings are those of the process.
	Settings Settings
	// Previous, when not nil, lends the parts that did not change, so that
	// connections and tokens survive a reload.
	Previous *Snapshot
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Load reads the folder. An error is [Problems] for mistakes in documents, else
// about the folder itself. A folder that does not exist is an error that
// satisfies errors.Is(err, fs.ErrNotExist).
func Load(dir string, opts LoadOptions) (*Snapshot, error) { panic("not built yet") }

// Empty returns the snapshot without any document: the built-in registries,
// nothing enforced.
func Empty(opts LoadOptions) (*Snapshot, error) { panic("not built yet") }
