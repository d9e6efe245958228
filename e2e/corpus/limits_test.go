package corpus

import (
	"fmt"
	"strings"
)

// Ceilings of docs/limits.md.
const (
	maxManifest = 4 << 20
	maxDepth    = 32
	maxFields   = 65536
	maxEntries  = 1000
)

// depths nests at the limit, one beyond, and far beyond.
func depths() []row {
	var rows []row
	// The document is the first level.
	for _, deep := range []int{maxDepth - 2, maxDepth - 1, maxDepth, 100, 10_000, 500_000} {
		w := refused
		if deep < maxDepth {
			w = served
		}
		for name, nest := range map[string]struct{ open, end string }{
			"arrays": {"[", "]"}, "objects": {`{"a":`, "}"}, "both": {`[{"a":`, "}]"},
		} {
			n, inner := deep, "1"
			if name == "both" {
				if n /= 2; deep%2 == 1 {
					inner = "[]"
				}
			}
			value := strings.Repeat(nest.open, n) + inner + strings.Repeat(nest.end, n)
			rows = append(rows,
				row{family: "depth", name: fmt.Sprintf("%d %s in an image", deep, name), body: image("x", value), want: w},
				row{family: "depth", name: fmt.Sprintf("%d %s in an entry", deep-2, name), body: index2(descriptor(ociManifest, "c", "x", value)), want: refusedFrom(deep+2 > maxDepth-1)},
			)
			if deep > maxDepth {
				rows = append(rows, row{family: "depth", name: fmt.Sprintf("%d %s never closed", deep, name), body: strings.TrimSuffix(image(), "}") + `,"x":` + strings.Repeat(nest.open, n), want: refused})
			}
		}
	}
	return rows
}

func refusedFrom(beyond bool) want {
	if beyond {
		return refused
	}
	return served
}

// sizes are documents at each limit and one beyond.
func sizes() []row {
	var rows []row
	add := func(name string, body string, w want) {
		rows = append(rows, row{family: "sizes", name: name, body: body, want: w})
	}
	for _, over := range []int{0, 1} {
		w := refusedFrom(over > 0)
		label := map[int]string{0: "at the limit", 1: "one beyond"}[over]
		good := image()
		add("bytes by space "+label, good+strings.Repeat(" ", maxManifest+over-len(good)), w)
		empty := image("annotations", object("a", `""`))
		add("bytes by one annotation "+label, image("annotations", object("a", quote(strings.Repeat("a", maxManifest+over-len(empty))))), w)
		padded := index("x", `""`)
		add("bytes of an index "+label, index("x", quote(strings.Repeat("a", maxManifest+over-len(padded)))), w)
		add("layers "+label, image2(goodConfig, repeated(goodLayer, maxEntries+over)), w)
		add("entries "+label, object("schemaVersion", "2", "mediaType", quote(ociIndex), "manifests", repeated(goodEntry, maxEntries+over)), w)
		add("fields "+label, fields(maxFields+over), w)
		add("fields in small objects "+label, small(maxFields+over), w)
		add("media type of a layer "+label, image2(goodConfig, array(descriptor("a/"+strings.Repeat("b", 253+over), "l"))), w)
	}
	add("bytes far beyond", image("x", quote(strings.Repeat("a", 32<<20))), refused)
	add("empty layers", image2(goodConfig, "["+strings.Repeat("{},", 300_000)+"{}]"), refused)
	add("null layers", image2(goodConfig, "["+strings.Repeat("null,", 300_000)+"null]"), refused)
	add("long name", strings.Replace(image(), "{", "{"+quote(strings.Repeat("n", 1<<20))+":1,", 1), served)
	add("long number", image("x", strings.Repeat("9", 1<<20)), served)
	add("long exponent", image("x", "1e"+strings.Repeat("9", 1<<20)), served)
	add("many numbers", image("x", repeated("0", 1_000_000)), served)
	add("many urls", image2(goodConfig, array(descriptor(ociLayer, "l", "urls", repeated(`"http://127.0.0.1:1/x"`, 10_000)))), either)
	add("names with one hash in many maps", fields(60_000), served)
	return rows
}

// fields is an image whose objects have n names in all.
func fields(n int) string {
	// Those of the image itself: 4 and annotations, 3 in each of 3 descriptors.
	const own = 5 + 3*3
	var b strings.Builder
	for i := range n - own {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":""`, i)
	}
	return image("annotations", "{"+b.String()+"}")
}

// small is an image whose names, n in all, are each in an object of their own.
func small(n int) string {
	const own = 5 + 3*3
	return image("x", repeated(`{"a":0}`, n-own))
}
