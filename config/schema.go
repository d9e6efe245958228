package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"
)

// Schema returns the JSON Schema (draft 2020-12) of one document, for editors:
// what a schema cannot say, such as which names exist, only loading finds.
func Schema() ([]byte, error) {
	root := &jsonschema.Schema{
		Version:     jsonschema.Version,
		Title:       "Vouchsafe documents, " + APIVersion,
		Description: "One document of a configuration folder.",
	}
	for _, kind := range kinds {
		root.OneOf = append(root.OneOf, documentSchema(kind))
	}
	body, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(body, '\n'), nil
}

// documentSchema describes one kind.
func documentSchema(kind string) *jsonschema.Schema {
	reflector := jsonschema.Reflector{
		Anonymous: true, DoNotReference: true, ExpandedStruct: true,
		Mapper: durationSchema,
	}
	spec := reflector.ReflectFromType(reflect.TypeOf(specOf(kind)).Elem())
	spec.Version = ""
	docs := map[string]FieldDoc{}
	for _, d := range FieldDocs(kind) {
		docs[d.Path] = d
	}
	describe("spec", spec, docs)
	name := &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Description: docs["metadata.name"].Description}
	if kind != KindRegistry {
		name.Pattern = plainName.String()
		name.MaxLength = new(uint64(maxNameBytes))
	}
	document := block(kindTexts[kind],
		property{"apiVersion", &jsonschema.Schema{Const: APIVersion}},
		property{"kind", &jsonschema.Schema{Const: kind}},
		property{"metadata", block("", property{"name", name})},
		property{"spec", spec},
	)
	document.Title = kind
	return document
}

type property struct {
	name   string
	schema *jsonschema.Schema
}

// block returns the schema of a mapping whose keys are all required.
func block(description string, properties ...property) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Description: description,
		Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema,
	}
	for _, p := range properties {
		s.Properties.Set(p.name, p.schema)
		s.Required = append(s.Required, p.name)
	}
	return s
}

// durationSchema gives durations their text form.
func durationSchema(t reflect.Type) *jsonschema.Schema {
	if t != durationType {
		return nil
	}
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`}
}

// describe adds descriptions, defaults and closed sets from the table.
func describe(path string, s *jsonschema.Schema, docs map[string]FieldDoc) {
	if d, ok := docs[path]; ok && path != "spec" {
		s.Description = d.Description
		for _, value := range d.Values {
			s.Enum = append(s.Enum, value)
		}
		var standard any
		if json.Unmarshal([]byte(d.Default), &standard) == nil {
			s.Default = standard
		} else if d.Default != "" && s.Type == "string" && (len(d.Values) == 0 || slices.Contains(d.Values, d.Default)) && d.Path != "spec.endpoint" {
			s.Default = d.Default
		}
	}
	if s.Items != nil {
		describe(path+"[]", s.Items, docs)
	}
	if s.Properties == nil {
		return
	}
	for pair := s.Properties.Oldest(); pair != nil; {
		inner, name := join(path, pair.Key), pair.Key
		describe(inner, pair.Value, docs)
		pair = pair.Next()
		if _, known := docs[inner]; !known {
			// A key that the type has and this build does not act upon.
			s.Properties.Delete(name)
		}
	}
}
