package config

import (
	"time"

	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// APIVersion is the only apiVersion of documents.
const APIVersion = "vouchsafe.dev/v1alpha1"

// Kinds of documents that this build acts upon.
const (
	KindIntegration = "SignatureIntegration"
	KindPolicy      = "ImagePolicy"
	KindRegistry    = "Registry"
)

// Document is one document as it was read.
type Document struct {
	Kind string
	// Name is canonical for registries, else as written.
	Name string
	// File is relative to the configuration folder, "" for what is built in.
	File string
	Line int
	// Spec is one of *verify.Spec, *policy.Spec, *upstream.Spec.
	Spec any
}

// Snapshot is one whole configuration. It is immutable.
type Snapshot struct {
	// Revision is a hash over all documents, the files that they name, and the
	// settings that a decision depends on. It does not depend on file names,
	// order or comments, so replicas with the same content agree.
	Revision string
	// LoadedAt is when it was read.
	LoadedAt time.Time
	// Rules is what decisions depend on. A disabled policy is not among them.
	Rules policy.Rules
	// Registries by canonical name, built-in ones included.
	Registries map[string]*upstream.Registry
	// Integrations by name.
	Integrations map[string]*verify.Integration
	// Documents in the order of kind and name.
	Documents []Document
	// Warnings are remarks that did not keep the documents from loading.
	Warnings []Problem

	// origins finds the text of a document, to point at it later.
	origins map[identity]*document
	// trustTexts are the files that integrations name, as they were read.
	trustTexts map[string][]byte
}

// Registry finds a registry by canonical name.
func (s *Snapshot) Registry(name string) (*upstream.Registry, bool) {
	r, ok := s.Registries[name]
	return r, ok
}

// Enforces reports whether a policy of the snapshot refuses.
func (s *Snapshot) Enforces() bool {
	for _, p := range s.Rules.Policies {
		if p.Enforces() {
			return true
		}
	}
	return false
}

// written counts the documents that came from files.
func (s *Snapshot) written() int {
	n := 0
	for _, d := range s.Documents {
		if d.File != "" {
			n++
		}
	}
	return n
}

// problem points at a field of a document in force. What is built in or was
// not written has no place.
func (s *Snapshot) problem(id identity, path, message, hint string) Problem {
	d, ok := s.origins[id]
	if !ok {
		return Problem{Path: path, Message: id.String() + " " + message, Hint: hint}
	}
	return d.problemAt(path, message, hint)
}

// identity names a document among all.
type identity struct{ kind, name string }

// String returns kind and name for people.
func (id identity) String() string { return id.kind + " " + id.name }
