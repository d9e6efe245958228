package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"vouchsafe/upstream"
)

var durationType = reflect.TypeFor[upstream.Duration]()

// decodeSpec fills d.spec from n. Every mistake is recorded; what could not be
// read keeps its zero value.
func (d *document) decodeSpec(n *node) {
	d.decode("spec", n, reflect.ValueOf(d.spec).Elem())
}

// decode fills v from n, which stands at path.
func (d *document) decode(path string, n *node, v reflect.Value) {
	if n.kind == nullNode {
		d.mistake(path, "is empty", "remove it or fill it")
		return
	}
	if v.Type() == durationType {
		d.decodeDuration(path, n, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(path, n, v.Elem())
	case reflect.Struct:
		if d.present(path, n, mappingNode) {
			d.decodeStruct(path, n, v)
		}
	case reflect.Slice:
		if d.present(path, n, listNode) {
			if len(n.items) == 0 && path == "spec.images" {
				d.mistake(path, "is an empty list", "remove it to mean every image, or fill it")
			}
			v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
			for i, item := range n.items {
				d.decode(path+"["+strconv.Itoa(i)+"]", item, v.Index(i))
			}
		}
	case reflect.String:
		if d.present(path, n, textNode) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.present(path, n, boolNode) {
			v.SetBool(n.text == "true")
		}
	default:
		// A spec type with a field of another type is a mistake of ours, which
		// the test over all fields finds.
		d.mistake(path, "cannot be read by this build", "")
	}
}

func (d *document) decodeDuration(path string, n *node, v reflect.Value) {
	const hint = "write it like 30s, 5m or 1h30m"
	switch n.kind {
	case textNode:
		parsed, err := time.ParseDuration(n.text)
		if err != nil {
			d.mistake(path, quoted(n.text)+" is not a duration", hint)
			return
		}
		v.SetInt(int64(parsed))
	default:
		d.mistake(path, "is "+n.kind.String()+", wanted a duration", hint)
	}
}

func (d *document) decodeStruct(path string, n *node, v reflect.Value) {
	var names []string
	for i := range v.NumField() {
		name, _ := jsonName(v.Type().Field(i))
		names = append(names, name)
	}
	d.keys(path, n, names, laterKeys[d.kind])
	for i, name := range names {
		value := n.child(name)
		if value != nil {
			d.decode(join(path, name), value, v.Field(i))
			continue
		}
		if _, required := jsonName(v.Type().Field(i)); required {
			d.missing(path, name)
		}
	}
}

// missing records that a required key is not there, unless a key beside it that
// is not read explains it.
func (d *document) missing(path, name string) {
	if !slices.Contains(d.strays, path) {
		hint := ""
		if values := fieldTexts[d.kind][withoutIndexes(join(path, name))].values; len(values) > 0 {
			hint = "write " + strings.Join(values, " or ")
		}
		d.mistake(join(path, name), "is missing", hint)
		return
	}
	d.broken = append(d.broken, join(path, name))
}

// jsonName returns a field's key in documents and whether it must be there.
func jsonName(f reflect.StructField) (name string, required bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, !strings.Contains(options, "omitempty")
}

// keys refuses keys of a mapping that are not among names, or occur twice.
// later are paths, without indexes, of keys that another build acts upon.
func (d *document) keys(path string, n *node, names, later []string) {
	first := map[string]int{}
	for _, f := range n.fields {
		line, again := first[f.key]
		if again {
			d.stray(path, f.value, f.key, "duplicate key", fmt.Sprintf("it is already on line %d", line))
			continue
		}
		first[f.key] = f.value.keyLine
		switch {
		case slices.Contains(later, join(withoutIndexes(path), f.key)):
			d.stray(path, f.value, f.key, "not supported yet", "remove it")
		case slices.Contains(names, f.key):
		default:
			d.stray(path, f.value, shownKey(f.key), "unknown key", unknownKeyHint(path, f.key, names, first, n))
		}
	}
}

func unknownKeyHint(path, key string, names []string, first map[string]int, n *node) string {
	var free []string
	for _, name := range names {
		if _, used := first[name]; !used && n.child(name) == nil {
			free = append(free, name)
		}
	}
	if hint := didYouMean(key, free); hint != "" {
		return hint
	}
	if path == "" && slices.Contains(specKeys(), key) {
		return "it belongs under spec"
	}
	return "known here: " + strings.Join(names, ", ")
}

// shownKey is a key as messages may show it: one line, not a pasted text.
func shownKey(key string) string {
	const most = 40
	key = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, key)
	if len(key) > most {
		return strings.ToValidUTF8(key[:most], "") + hidden
	}
	return key
}

// withoutIndexes turns "spec.publicKeys[0]" into "spec.publicKeys[]".
func withoutIndexes(path string) string {
	var b strings.Builder
	inside := false
	for _, r := range path {
		if r == ']' {
			inside = false
		}
		if !inside {
			b.WriteRune(r)
		}
		if r == '[' {
			inside = true
		}
	}
	return b.String()
}
