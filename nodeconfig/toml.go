package nodeconfig

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

func parseTOML(file string, text []byte) (document, error) {
	d := document{file: file, lines: map[string]int{}}
	if err := toml.Unmarshal(text, &d.values); err != nil {
		line := 1
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ = at.Position()
		}
		return d, &syntaxError{file, line, err}
	}
	w := tomlWalk{document: &d, counts: map[string]int{}}
	w.parser.Reset(text)
	for w.parser.NextExpression() {
		w.expression(w.parser.Expression())
	}
	if err := w.parser.Error(); err != nil {
		return d, &syntaxError{file, 1, err}
	}
	return d, nil
}

// tomlWalk finds the lines of keys, which decoding loses.
type tomlWalk struct {
	*document
	parser unstable.Parser
	// counts are the elements so far of each array of tables.
	counts map[string]int
	prefix []string
}

func (w *tomlWalk) expression(node *unstable.Node) {
	if node.Kind == unstable.KeyValue {
		w.keyValue(w.prefix, node)
		return
	}
	if node.Kind != unstable.Table && node.Kind != unstable.ArrayTable {
		return
	}
	keys, line := w.key(node)
	w.tables = append(w.tables, tomlTable{keys, line, node.Kind == unstable.ArrayTable})
	w.prefix = w.inside(keys[:len(keys)-1], keys[len(keys)-1], node.Kind == unstable.ArrayTable)
	// A table above it may have no header of its own.
	for n := range w.prefix {
		w.mark(line, w.prefix[:n+1]...)
	}
}

// inside is the path of a table, with the number of the last element wherever an
// array of tables is on the way. next begins a further element of the last.
func (w *tomlWalk) inside(way []string, last string, next bool) []string {
	var at []string
	for _, key := range way {
		at = append(at, key)
		if n := w.counts[strings.Join(at, unit)]; n > 0 {
			at = append(at, strconv.Itoa(n-1))
		}
	}
	at = append(at, last)
	name := strings.Join(at, unit)
	if next {
		w.counts[name]++
	}
	if n := w.counts[name]; n > 0 {
		at = append(at, strconv.Itoa(n-1))
	}
	return at
}

func (w *tomlWalk) keyValue(prefix []string, node *unstable.Node) {
	keys, line := w.key(node)
	at := append(append([]string{}, prefix...), keys...)
	// A dotted key makes the tables on its way.
	for n := len(prefix) + 1; n <= len(at); n++ {
		w.mark(line, at[:n]...)
	}
	w.inValue(at, node.Value())
}

func (w *tomlWalk) inValue(at []string, value *unstable.Node) {
	if value.Kind == unstable.InlineTable {
		for it := value.Children(); it.Next(); {
			w.keyValue(at, it.Node())
		}
		return
	}
	if value.Kind != unstable.Array {
		return
	}
	n := 0
	for it := value.Children(); it.Next(); n++ {
		element := append(append([]string{}, at...), strconv.Itoa(n))
		if it.Node().Raw.Length > 0 {
			w.mark(w.parser.Shape(it.Node().Raw).Start.Line, element...)
		}
		w.inValue(element, it.Node())
	}
}

func (w *tomlWalk) key(node *unstable.Node) (keys []string, line int) {
	for it := node.Key(); it.Next(); {
		if line == 0 {
			line = w.parser.Shape(it.Node().Raw).Start.Line
		}
		keys = append(keys, string(it.Node().Data))
	}
	return keys, line
}
