package nodeconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// document is a file of TOML, YAML or JSON: its values, and the line of each.
// The keys of a path are joined by a character that no key has; an element of a
// list has its number as key.
type document struct {
	file   string
	values map[string]any
	lines  map[string]int
	// tables are the headers of TOML's tables, in their order.
	tables []tomlTable
}

// tomlTable is the header of a table or of an element of an array of tables, and
// its line.
type tomlTable struct {
	keys  []string
	line  int
	array bool
}

// unit separates the keys of a path.
const unit = "\x1f"

// value returns what is at a path, nil when nothing is.
func (d document) value(keys ...string) any {
	var at any = d.values
	for _, key := range keys {
		switch v := at.(type) {
		case map[string]any:
			at = v[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(v) {
				return nil
			}
			at = v[n]
		default:
			return nil
		}
	}
	return at
}

func (d document) text(keys ...string) string {
	s, _ := d.value(keys...).(string)
	return s
}

func (d document) flag(keys ...string) bool {
	b, _ := d.value(keys...).(bool)
	return b
}

func (d document) table(keys ...string) map[string]any {
	t, _ := d.value(keys...).(map[string]any)
	return t
}

// texts returns a list of texts; a text alone is a list of one.
func (d document) texts(keys ...string) []string {
	switch v := d.value(keys...).(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, each := range v {
			if s, ok := each.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// line returns where a path is, or the nearest part of it that has a line; 1 when
// none has.
func (d document) line(keys ...string) int {
	for ; len(keys) > 0; keys = keys[:len(keys)-1] {
		if n := d.lines[strings.Join(keys, unit)]; n > 0 {
			return n
		}
	}
	return 1
}

func (d *document) mark(line int, keys ...string) {
	if at := strings.Join(keys, unit); d.lines[at] == 0 {
		d.lines[at] = line
	}
}

// syntaxError is a text that is not in its language.
type syntaxError struct {
	file string
	line int
	err  error
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s:%d: %v: %v", e.file, e.line, ErrUnreadable, e.err)
}

// Unwrap returns ErrUnreadable and the mistake.
func (e *syntaxError) Unwrap() []error { return []error{ErrUnreadable, e.err} }

func parseYAML(file string, text []byte) (document, error) {
	d := document{file: file, lines: map[string]int{}}
	if err := yaml.Unmarshal(text, &d.values); err != nil {
		return d, &syntaxError{file, 1, err}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return d, &syntaxError{file, 1, err}
	}
	for _, doc := range tree.Docs {
		d.inYAML(nil, doc.Body)
	}
	return d, nil
}

func (d *document) inYAML(at []string, node ast.Node) {
	under := func(key string) []string { return append(append([]string{}, at...), key) }
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, value := range n.Values {
			d.inYAML(at, value)
		}
	case *ast.MappingValueNode:
		key := under(n.Key.GetToken().Value)
		d.mark(n.Key.GetToken().Position.Line, key...)
		d.inYAML(key, n.Value)
	case *ast.SequenceNode:
		for i, value := range n.Values {
			element := under(strconv.Itoa(i))
			d.mark(value.GetToken().Position.Line, element...)
			d.inYAML(element, value)
		}
	}
}

// parseJSON reads JSON. The line of a path is where its last key first stands.
func parseJSON(file string, text []byte) (document, error) {
	d := document{file: file, lines: map[string]int{}}
	if err := json.Unmarshal(text, &d.values); err != nil {
		line := 1
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			line += strings.Count(string(text[:min(int(at.Offset), len(text))]), "\n")
		}
		return d, &syntaxError{file, line, err}
	}
	d.inJSON(nil, d.values, strings.Split(string(text), "\n"))
	return d, nil
}

func (d *document) inJSON(at []string, values map[string]any, lines []string) {
	for key, value := range values {
		under := append(append([]string{}, at...), key)
		written, err := json.Marshal(key)
		if err != nil {
			continue
		}
		for i, line := range lines {
			if strings.Contains(line, string(written)) {
				d.mark(i+1, under...)
				break
			}
		}
		if table, ok := value.(map[string]any); ok {
			d.inJSON(under, table, lines)
		}
	}
}

func asSyntax(err error) (*syntaxError, bool) { return errors.AsType[*syntaxError](err) }
