package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// asYAML prints the JSON form of data as YAML, so that the two can never have
// different fields or another order.
func asYAML(data any) (string, error) {
	text, err := asJSON(data)
	if err != nil {
		return "", err
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	value, err := ordered(decoder)
	if err != nil {
		return "", fmt.Errorf("encode as YAML: %w", err)
	}
	b, err := yaml.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode as YAML: %w", err)
	}
	return string(b), nil
}

// ordered reads one JSON value with the keys of objects in their order.
func ordered(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return orderedObject(decoder)
		}
		return orderedList(decoder)
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return n, nil
		}
		return t.Float64()
	case string:
		if escape(t, false) != t {
			return quoted(t), nil
		}
	}
	return token, nil
}

// quoted is text that must stand between double quotes, where every character
// can be escaped: in a block or plain it would be printed as it is.
type quoted string

// MarshalYAML implements yaml.BytesMarshaler. JSON's quotes are YAML's.
func (q quoted) MarshalYAML() ([]byte, error) { return json.Marshal(string(q)) }

func orderedObject(decoder *json.Decoder) (any, error) {
	object := yaml.MapSlice{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := ordered(decoder)
		if err != nil {
			return nil, err
		}
		object = append(object, yaml.MapItem{Key: key, Value: value})
	}
	return object, closed(decoder)
}

func orderedList(decoder *json.Decoder) (any, error) {
	list := []any{}
	for decoder.More() {
		value, err := ordered(decoder)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, closed(decoder)
}

func closed(decoder *json.Decoder) error {
	if _, err := decoder.Token(); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}
