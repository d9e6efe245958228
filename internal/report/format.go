package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is a form of output. The zero value is invalid.
type Format uint8

const (
	// Table is for eyes, a line an entry.
	Table Format = iota + 1
	// Wide is Table with everything in it.
	Wide
	// JSON is indented JSON.
	JSON
	// YAML is the JSON shape as YAML.
	YAML
	// SARIF is for code hosts: see [WriteRun].
	SARIF
	// JUnit is for build servers: see [WriteRun].
	JUnit
)

// Formats are the names that [ParseFormat] reads, in the order of the constants.
var Formats = []string{"table", "wide", "json", "yaml"}

// RunFormats are the names that [ParseRunFormat] reads, in the order of the
// constants.
var RunFormats = append(slices.Clone(Formats), "sarif", "junit")

// ParseFormat reads the value of -o where any data is printed.
func ParseFormat(s string) (Format, error) { return parseFormat(s, Formats) }

// ParseRunFormat reads the value of -o where images are judged.
func ParseRunFormat(s string) (Format, error) { return parseFormat(s, RunFormats) }

func parseFormat(s string, names []string) (Format, error) {
	for i, name := range names {
		if s == name {
			return Format(i + 1), nil
		}
	}
	return 0, fmt.Errorf("%.40q is no form of output: one of %s", s, strings.Join(names, ", "))
}

// String returns the name that [ParseRunFormat] reads, or "invalid".
func (f Format) String() string {
	if f < Table || int(f) > len(RunFormats) {
		return "invalid"
	}
	return RunFormats[f-1]
}

// Tabler is data that can also be printed as a table.
type Tabler interface {
	// Tables returns what is printed, one table below the other.
	Tables(wide bool) []Grid
}

// Write prints data to w in one of [Formats]. In JSON and YAML it is printed as
// its fields say, in a table as [Tabler] says.
func Write(w io.Writer, format Format, data Tabler) error {
	var text string
	var err error
	switch format {
	case Table, Wide:
		text = grids(data.Tables(format == Wide))
	case JSON:
		text, err = asJSON(data)
	case YAML:
		text, err = asYAML(data)
	default:
		return fmt.Errorf("no form of output")
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

func asJSON(data any) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(data); err != nil {
		return "", fmt.Errorf("encode as JSON: %w", err)
	}
	// Outside strings the encoder writes nothing but ASCII and line feeds, so
	// each other character is in a string, where \uXXXX says the same.
	return escape(b.String(), true), nil
}
