package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/goccy/go-yaml"

	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// View is a snapshot as people and programs read it, defaults filled in. It
// holds names of files with secrets, never what is in them.
type View struct {
	Revision     string         `json:"revision"`
	LoadedAt     time.Time      `json:"loadedAt"`
	WhenNoPolicy string         `json:"whenNoPolicy"`
	Documents    []DocumentView `json:"documents"`
	Warnings     []string       `json:"warnings,omitempty"`
}

// DocumentView is one document of a [View].
type DocumentView struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Source is "file:line" inside the folder, or "built in".
	Source string `json:"source"`
	// Revision is of the integration or registry; empty for policies.
	Revision string `json:"revision,omitempty"`
	Spec     any    `json:"spec"`
}

// BuiltIn is the Source of a document that no file holds.
const BuiltIn = "built in"

// NewView returns the view of s.
func NewView(s *Snapshot) View {
	v := View{Revision: s.Revision, LoadedAt: s.LoadedAt.UTC(), WhenNoPolicy: s.Rules.WhenNoPolicy.String(), Documents: []DocumentView{}}
	for _, d := range s.Documents {
		view := DocumentView{Kind: d.Kind, Name: d.Name, Source: BuiltIn, Spec: effective(d)}
		if d.File != "" {
			view.Source = fmt.Sprintf("%s:%d", d.File, d.Line)
		}
		switch d.Kind {
		case KindIntegration:
			view.Revision = s.Integrations[d.Name].Revision()
		case KindRegistry:
			view.Revision = s.Registries[d.Name].Revision()
		}
		v.Documents = append(v.Documents, view)
	}
	for _, w := range s.Warnings {
		w.Source = ""
		v.Warnings = append(v.Warnings, w.String())
	}
	return v
}

// Show writes the view of s as "yaml" or "json".
func Show(w io.Writer, s *Snapshot, format string) error {
	var body bytes.Buffer
	switch format {
	case "yaml":
		encoder := yaml.NewEncoder(&body, yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
		if err := encoder.Encode(NewView(s)); err != nil {
			return fmt.Errorf("show configuration: %w", err)
		}
	case "json":
		encoder := json.NewEncoder(&body)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(NewView(s)); err != nil {
			return fmt.Errorf("show configuration: %w", err)
		}
	default:
		return fmt.Errorf("show configuration: %s is neither yaml nor json", quoted(format))
	}
	if _, err := w.Write(body.Bytes()); err != nil {
		return fmt.Errorf("show configuration: %w", err)
	}
	return nil
}

// effective returns the spec with its defaults filled in.
func effective(d Document) any {
	switch spec := d.Spec.(type) {
	case *policy.Spec:
		return effectivePolicy(*spec)
	case *upstream.Spec:
		return spec.Effective(d.Name)
	case *verify.Spec:
		return spec.Effective()
	}
	return nil
}

func effectivePolicy(s policy.Spec) policy.Spec {
	fill(&s.Severity, "Medium")
	fill(&s.Require, "Any")
	fill(&s.OnUnavailable, "Deny")
	if len(s.Images) == 0 {
		s.Images = []string{"**"}
	}
	return s
}

func fill(value *string, standard string) {
	if *value == "" {
		*value = standard
	}
}
