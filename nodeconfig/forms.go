package nodeconfig

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// form says what a value has to be, empty when it is that.
type form func(value any) (wanted string)

// misfit is a key whose value a runtime cannot decode, or which versions of it
// decode differently.
type misfit struct {
	line int
	why  string
}

func isText(value any) string {
	if _, ok := value.(string); ok {
		return ""
	}
	return "a text"
}

func isFlag(value any) string {
	if _, ok := value.(bool); ok {
		return ""
	}
	return "true or false, without quotes"
}

func isTable(value any) string {
	if _, ok := value.(map[string]any); ok {
		return ""
	}
	return "a table"
}

func isTexts(value any) string {
	list, ok := value.([]any)
	if !ok || slices.ContainsFunc(list, func(each any) bool { return isText(each) != "" }) {
		return "a list of texts"
	}
	return ""
}

func isTextOrTexts(value any) string {
	if isText(value) == "" || isTexts(value) == "" {
		return ""
	}
	return "a text or a list of texts"
}

func isTables(value any) string {
	list, ok := value.([]any)
	if !ok || slices.ContainsFunc(list, func(each any) bool { return isTable(each) != "" }) {
		return "a list of tables"
	}
	return ""
}

// misfits compares the keys of a table with their forms, in the order of lines.
// Keys without a form are nobody's. A key in other letters is a misfit, too: some
// libraries take it for the known one, so that the file would say two things.
func (d document) misfits(at []string, forms map[string]form) []misfit {
	var found []misfit
	for key, value := range d.table(at...) {
		line := d.line(append(slices.Clone(at), key)...)
		if fits, known := forms[key]; known {
			if wanted := fits(value); wanted != "" {
				found = append(found, misfit{line, fmt.Sprintf("%s is not %s", key, wanted)})
			}
			continue
		}
		for name := range maps.Keys(forms) {
			if strings.EqualFold(name, key) {
				found = append(found, misfit{line, fmt.Sprintf("the key %s, which some versions read as %s", shown(key), name)})
			}
		}
	}
	slices.SortFunc(found, func(a, b misfit) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.why, b.why)) })
	return found
}
