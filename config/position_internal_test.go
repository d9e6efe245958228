package config

import "testing"

func TestAPathFindsItsPlace(t *testing.T) {
	const text = `kind: X
spec:
  publicKeys:
    - name: a
      key: |
        one
        two
    - {name: "b",
       key: c}
  signers: [x, y]
  folded:
    words on
    two lines
  empty:
`
	root, err := parseChunk(chunk{first: 11, text: text})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path         string
		line, column int
		exact        bool
	}{
		{"kind", 11, 7, true},
		{"spec", 12, 1, true},
		{"spec.publicKeys", 13, 3, true},
		{"spec.publicKeys[0].name", 14, 13, true},
		{"spec.publicKeys[0].key", 15, 7, true},
		{"spec.publicKeys[0].missing", 14, 7, false},
		{"spec.publicKeys[1].name", 18, 14, true},
		{"spec.publicKeys[1].key", 19, 13, true},
		{"spec.publicKeys[2].key", 13, 3, false},
		{"spec.signers[1]", 20, 16, true},
		{"spec.folded", 21, 3, true},
		{"spec.empty", 24, 3, true},
		{"spec.behavior", 12, 1, false},
		{"metadata.name", 11, 1, false},
		{"spec.signers[x]", 20, 3, true},
		{"", 11, 1, true},
	}
	for _, test := range tests {
		at, exact := root.find(test.path)
		line, column := at.place()
		if line != test.line || column != test.column || exact != test.exact {
			t.Errorf("%q: got %d:%d %v, want %d:%d %v", test.path, line, column, exact, test.line, test.column, test.exact)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		path, outer string
		want        bool
	}{
		{"spec.a", "spec.a", true},
		{"spec.a.b", "spec.a", true},
		{"spec.a[0]", "spec.a", true},
		{"spec.ab", "spec.a", false},
		{"spec", "spec.a", false},
	} {
		if got := within(test.path, test.outer); got != test.want {
			t.Errorf("%q in %q: got %v", test.path, test.outer, got)
		}
	}
}
