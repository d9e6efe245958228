package config_test

import (
	"encoding/json"
	"slices"
	"testing"

	"vouchsafe/config"
)

func TestSchema(t *testing.T) {
	body, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Schema string `json:"$schema"`
		OneOf  []struct {
			Title                string   `json:"title"`
			AdditionalProperties *bool    `json:"additionalProperties"`
			Required             []string `json:"required"`
			Properties           struct {
				Kind struct {
					Const string `json:"const"`
				} `json:"kind"`
				Spec map[string]any `json:"spec"`
			} `json:"properties"`
		} `json:"oneOf"`
	}
	if err := json.Unmarshal(body, &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Schema != "https://json-schema.org/draft/2020-12/schema" || len(schema.OneOf) != 3 {
		t.Fatalf("got %s with %d kinds", schema.Schema, len(schema.OneOf))
	}
	for _, document := range schema.OneOf {
		if document.Properties.Kind.Const != document.Title || len(document.Required) != 4 || document.AdditionalProperties == nil || *document.AdditionalProperties {
			t.Errorf("%s: got %+v", document.Title, document)
		}
		checkClosed(t, document.Title, document.Properties.Spec)
	}
	policy := schema.OneOf[1].Properties.Spec
	required, _ := policy["required"].([]any)
	if !slices.Contains(required, "signers") || !slices.Contains(required, "behavior") || len(required) != 2 {
		t.Errorf("got required %v, want signers and behavior", required)
	}
	properties, _ := policy["properties"].(map[string]any)
	severity, _ := properties["severity"].(map[string]any)
	if severity["default"] != "Medium" || len(severity["enum"].([]any)) != 4 {
		t.Errorf("got severity %v", severity)
	}
}

// checkClosed finds a block that takes unknown keys, or a key without a
// description.
func checkClosed(t *testing.T, path string, schema map[string]any) {
	t.Helper()
	if schema["type"] == "object" && schema["additionalProperties"] != false {
		t.Errorf("%s takes unknown keys", path)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		inner, _ := property.(map[string]any)
		if inner["description"] == nil {
			t.Errorf("%s.%s has no description", path, name)
		}
		checkClosed(t, path+"."+name, inner)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		checkClosed(t, path+"[]", items)
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	for _, kind := range []string{config.KindIntegration, config.KindPolicy, config.KindRegistry} {
		docs := config.FieldDocs(kind)
		if len(docs) < 6 {
			t.Errorf("%s: got %d keys", kind, len(docs))
		}
		for _, d := range docs {
			if d.Description == "" || d.Type == "" {
				t.Errorf("%s %s: type %q, description %q", kind, d.Path, d.Type, d.Description)
			}
			if d.Required && d.Default != "" {
				t.Errorf("%s %s is required and has a default", kind, d.Path)
			}
		}
	}
	if config.FieldDocs("WatchedImage") != nil {
		t.Error("a kind that is not supported is described")
	}
}
