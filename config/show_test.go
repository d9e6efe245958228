package config_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"vouchsafe/config"
)

func TestShow(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "root.json"), string(newMirror(t).Root()))
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+mirrored+"---\n"+
		document(config.KindPolicy, "prod", "  signers: [team]\n  behavior: Inform\n")+"---\n"+
		document(config.KindRegistry, "r.example.com", "  credentials: {usernameFile: user, passwordFile: password}\n  access: Shared\n  timeouts: {idle: 1m}\n"))
	write(t, filepath.Join(dir, "user"), "robot")
	write(t, filepath.Join(dir, "password"), "hunter2")
	s := mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})

	for _, format := range []string{"yaml", "json"} {
		var out bytes.Buffer
		if err := config.Show(&out, s, format); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hunter2", "robot"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s holds a secret:\n%s", format, out.String())
			}
		}
		var view config.View
		decode := json.Unmarshal
		if format == "yaml" {
			decode = func(b []byte, v any) error { return yaml.Unmarshal(b, v) }
		}
		if err := decode(out.Bytes(), &view); err != nil {
			t.Fatalf("%s: %v\n%s", format, err, out.String())
		}
		if view.Revision != s.Revision || view.WhenNoPolicy != "Allow" || len(view.Documents) != 7 {
			t.Errorf("%s: got %+v", format, view)
		}
		got := map[string]config.DocumentView{}
		for _, d := range view.Documents {
			got[d.Name] = d
		}
		if got["docker.io"].Source != config.BuiltIn || got["team"].Source != "a.yaml:1" || got["team"].Revision == "" {
			t.Errorf("%s: got %+v", format, got)
		}
		spec, _ := json.Marshal(got["prod"].Spec)
		if !strings.Contains(string(spec), `"severity":"Medium"`) || !strings.Contains(string(spec), `"images":["**"]`) {
			t.Errorf("%s: defaults are not filled in: %s", format, spec)
		}
		spec, _ = json.Marshal(got["r.example.com"].Spec)
		for _, want := range []string{`"endpoint":"https://r.example.com"`, `"tagTTL":"30s"`, `"connect":"5s"`, `"idle":"1m"`} {
			if !strings.Contains(string(spec), want) {
				t.Errorf("%s: %s is not in %s", format, want, spec)
			}
		}
	}
	if err := config.Show(&bytes.Buffer{}, s, "xml"); err == nil {
		t.Error("xml: got no error")
	}
}

// What is shown for a key that nobody wrote is what the reference calls its
// default.
func TestShownDefaultsAreThoseOfTheReference(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "root.json"), string(newMirror(t).Root()))
	write(t, filepath.Join(dir, "a.yaml"), integration("team", newKey(t))+mirrored+"---\n"+
		document(config.KindPolicy, "prod", "  signers: [team]\n  behavior: Inform\n")+"---\n"+
		document(config.KindRegistry, "r.example.com", "  tokenHosts: [t.example.com]\n"))
	for _, d := range config.NewView(mustLoad(t, dir, config.LoadOptions{Settings: defaults(t)})).Documents {
		if d.Source == config.BuiltIn {
			continue
		}
		spec, err := json.Marshal(map[string]any{"spec": d.Spec})
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range config.FieldDocs(d.Kind) {
			if doc.Default == "" || doc.Default == "false" || strings.ContainsAny(doc.Default, "< ") {
				continue // left out when false, or said in words
			}
			var at any
			if err := json.Unmarshal(spec, &at); err != nil {
				t.Fatal(err)
			}
			for key := range strings.SplitSeq(doc.Path, ".") {
				block, _ := at.(map[string]any)
				at = block[key]
			}
			if got, _ := json.Marshal(at); strings.Trim(string(got), `"`) != doc.Default && string(got) != doc.Default {
				t.Errorf("%s %s: shown as %s, the reference says %s", d.Kind, doc.Path, got, doc.Default)
			}
		}
	}
}
