package differential_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// changes returns the evidence with one thing changed at a time.
func changes(tb testing.TB, e evidence) []evidence {
	tb.Helper()
	if e.bundle != nil {
		return changedBundles(tb, e)
	}
	var all []evidence
	for _, f := range flips(string(e.payload)) {
		changed := e.changed("payload, " + f.how)
		changed.payload = []byte(f.text)
		all = append(all, changed)
	}
	for _, key := range slices.Sorted(maps.Keys(e.annotations)) {
		short := key[strings.LastIndex(key, "/")+1:]
		one := e.changed(short + " removed")
		delete(one.annotations, key)
		all = append(all, one)
		if json.Valid([]byte(e.annotations[key])) {
			for _, c := range changedDocuments(tb, []byte(e.annotations[key])) {
				one := e.changed(short + " " + c.how)
				one.annotations[key] = c.text
				all = append(all, one)
			}
			continue
		}
		for _, f := range flips(e.annotations[key]) {
			one := e.changed(short + ", " + f.how)
			one.annotations[key] = f.text
			all = append(all, one)
		}
	}
	return all
}

func changedBundles(tb testing.TB, e evidence) []evidence {
	tb.Helper()
	list := changedDocuments(tb, e.bundle)
	envelope := decode[map[string]any](tb, e.bundle)["dsseEnvelope"].(map[string]any) //nolint:forcetypeassert // all fixtures have one
	statement, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))   //nolint:forcetypeassert // JSON of a bundle
	check(tb, err)
	for how, replace := range map[string][2]string{
		"the subject's digest":     {strings.TrimPrefix(digestOf(e.image), "sha256:"), strings.Repeat("0", 64)},
		"the predicate's type":     {"https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"},
		"the statement's type":     {"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"},
		"the digest's name":        {`"sha256"`, `"sha512"`},
		"a blank in the statement": {`"predicate":`, `"predicate": `},
	} {
		if !strings.Contains(string(statement), replace[0]) {
			tb.Fatalf("%s: %q is not in %s", e.name, replace[0], statement)
		}
		changed := base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(statement), replace[0], replace[1], 1)))
		list = append(list, change{how, strings.Replace(string(e.bundle), envelope["payload"].(string), changed, 1)}) //nolint:forcetypeassert // as above
	}
	slices.SortStableFunc(list, func(a, b change) int { return strings.Compare(a.how, b.how) })
	var all []evidence
	for _, c := range list {
		changed := e.changed(c.how)
		changed.bundle = []byte(c.text)
		all = append(all, changed)
	}
	return all
}

// change is a text after one change.
type change struct{ how, text string }

// flips returns the text with one of its letters or digits changed: near its
// beginning, in the middle and near its end if it is long.
func flips(text string) []change {
	places := []int{len(text) / 2}
	if len(text) > 150 {
		places = []int{len(text) / 8, len(text) / 2, len(text) * 7 / 8}
	}
	var all []change
	for _, at := range places {
		for at < len(text) && !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYabcdefghijklmnopqrstuvwxy012345678", rune(text[at])) {
			at++
		}
		if at < len(text) {
			all = append(all, change{fmt.Sprintf("byte %d", at), text[:at] + string(text[at]+1) + text[at+1:]})
		}
	}
	return all
}

// changedDocuments returns a JSON document with each of its values changed and
// each of its parts removed.
func changedDocuments(tb testing.TB, text []byte) []change {
	tb.Helper()
	var all []change
	for _, path := range paths(decode[any](tb, text), nil) {
		how := strings.Join(path, ".")
		var found any
		document := edit(decode[any](tb, text), path, func(value any) (any, bool) {
			found = value
			return nil, false
		})
		all = append(all, change{how + " removed", encode(tb, document)})
		var variants []change
		switch value := found.(type) {
		case string:
			variants = flips(value)
		case float64:
			variants = []change{{"one more", strconv.FormatFloat(value+1, 'f', 0, 64)}}
		}
		for _, v := range variants {
			var with any = v.text
			if _, number := found.(float64); number {
				with = json.Number(v.text)
			}
			changed := edit(decode[any](tb, text), path, func(any) (any, bool) { return with, true })
			all = append(all, change{how + ", " + v.how, encode(tb, changed)})
		}
	}
	return all
}

// paths lists the ways to all parts of a document, in order.
func paths(value any, to []string) [][]string {
	var all [][]string
	add := func(step string, below any) {
		way := append(slices.Clone(to), step)
		all = append(append(all, way), paths(below, way)...)
	}
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			add(key, value[key])
		}
	case []any:
		for i, one := range value {
			add(strconv.Itoa(i), one)
		}
	}
	return all
}

// edit replaces the part at a path, or removes it where with says so.
func edit(value any, path []string, with func(any) (any, bool)) any {
	next := func(below any) (any, bool) {
		if len(path) == 1 {
			return with(below)
		}
		return edit(below, path[1:], with), true
	}
	switch value := value.(type) {
	case map[string]any:
		changed, keep := next(value[path[0]])
		if value[path[0]] = changed; !keep {
			delete(value, path[0])
		}
		return value
	case []any:
		at, err := strconv.Atoi(path[0])
		if err != nil {
			panic(err)
		}
		changed, keep := next(value[at])
		if value[at] = changed; !keep {
			return slices.Delete(value, at, at+1)
		}
		return value
	}
	return value
}

func encode(tb testing.TB, value any) string {
	tb.Helper()
	text, err := json.Marshal(value)
	check(tb, err)
	return string(text)
}

// swaps returns the evidence with one part at a time taken from another.
func swaps(tb testing.TB, e, from evidence) []evidence {
	tb.Helper()
	var all []evidence
	switch {
	case e.bundle == nil && from.bundle == nil:
		for _, key := range slices.Sorted(maps.Keys(from.annotations)) {
			one := e.changed(key[strings.LastIndex(key, "/")+1:] + " of " + from.name)
			one.annotations[key] = from.annotations[key]
			all = append(all, one)
		}
		one := e.changed("payload of " + from.name)
		one.payload = from.payload
		whole := e.changed("all of " + from.name)
		whole.payload, whole.annotations = from.payload, from.annotations
		all = append(all, one, whole)
	case e.bundle != nil && from.bundle != nil:
		other := decode[any](tb, from.bundle)
		has := paths(other, nil)
		for _, path := range paths(decode[any](tb, e.bundle), nil) {
			leafward := len(path) > 3 || !slices.ContainsFunc(has, func(p []string) bool { return slices.Equal(p, path) })
			if leafward || path[0] == "mediaType" {
				continue
			}
			var part any
			edit(decode[any](tb, from.bundle), path, func(value any) (any, bool) {
				part = value
				return value, true
			})
			changed := edit(decode[any](tb, e.bundle), path, func(any) (any, bool) { return part, true })
			one := e.changed(strings.Join(path, ".") + " of " + from.name)
			one.bundle = []byte(encode(tb, changed))
			all = append(all, one)
		}
	}
	return all
}
