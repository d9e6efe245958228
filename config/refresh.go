package config

import (
	"errors"
	"path/filepath"
	"slices"
)

// errNotKept is a file that was not read when the documents were. It does not
// happen: what is read again is what was read before.
var errNotKept = errors.New("was not read before")

// Refresh asks Watch to take the trusted roots that TUF mirrors give now. It does
// not wait.
func (s *Store) Refresh() {
	select {
	case s.mirrored <- struct{}{}:
	default: // Asked already, and not done yet.
	}
}

// refresh puts the snapshot with what mirrors give now into force, from the
// documents in force: whatever has become of the folder since, a revoked authority
// must go.
func (s *Store) refresh() {
	before := s.current.Load()
	opts := s.opts
	opts.Previous = before
	snapshot, err := refreshed(before, opts)
	if err != nil {
		// What loaded before loads with any trusted root; what does not is a
		// mistake of ours, and must not be silent.
		s.cfg.Log.Error("the trusted roots of TUF mirrors are not in force, the last ones stay", "revision", before.Revision, "error", err)
		return
	}
	if snapshot.Revision == before.Revision && Problems(before.Warnings).Error() == Problems(snapshot.Warnings).Error() {
		return
	}
	s.current.Store(snapshot)
	s.cfg.Log.Info("trusted roots of TUF mirrors in force", "revision", snapshot.Revision, "before", before.Revision, "warnings", len(snapshot.Warnings))
	if s.cfg.Refreshed != nil {
		s.cfg.Refreshed(snapshot)
	}
}

// refreshed links the documents of before again.
func refreshed(before *Snapshot, opts LoadOptions) (*Snapshot, error) {
	l := newLoader(opts)
	l.again, l.trustTexts = true, before.trustTexts
	for _, d := range before.Documents {
		if d, ok := before.origins[identity{d.Kind, d.Name}]; ok {
			l.documents = append(l.documents, &document{file: d.file, root: d.root, line: d.line, kind: d.kind, name: d.name, spec: d.spec})
		}
	}
	snapshot, err := l.finish()
	if err != nil {
		return nil, err
	}
	snapshot.LoadedAt = before.LoadedAt
	return snapshot, nil
}

// trustFiles returns the reader of files that integrations in folder name.
func (l *loader) trustFiles(folder string) func(name string) ([]byte, error) {
	read := l.references.reader(folder)
	return func(name string) ([]byte, error) {
		full := name
		if !filepath.IsAbs(full) {
			full = filepath.Join(folder, filepath.FromSlash(name))
		}
		if l.again {
			text, ok := l.trustTexts[full]
			if !ok {
				return nil, errNotKept
			}
			return slices.Clone(text), nil
		}
		text, err := read(name)
		if err == nil {
			l.trustTexts[full] = text
		}
		return text, err
	}
}
